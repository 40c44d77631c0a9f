package vault

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/keysake/keysake/plaintext"
)

// Authenticate returns who presents the token of an API key, or of a credential that a rule gave.
// Unauthenticated, without saying why: it is not a token, or it is of an unknown key or of one that
// is not active.
func (s *Service) Authenticate(ctx context.Context, token plaintext.Value) (Actor, error) {
	now := s.now()
	key, err := s.present(ctx, prefixOf(token), token, now)
	if err != nil {
		return Actor{}, err
	}
	s.used.touch(key.ID, now)
	return key.actor(), nil
}

// prefixOf returns the prefix of a token that may be presented in place of an API key.
func prefixOf(token plaintext.Value) string {
	if bytes.HasPrefix(token.Reveal(), []byte(workloadPrefix)) {
		return workloadPrefix
	}
	return tokenPrefix
}

// present returns the key of a token with this prefix, if the key works. Unauthenticated: it does
// not, or there is none.
func (s *Service) present(
	ctx context.Context, prefix string, token plaintext.Value, now time.Time,
) (APIKey, error) {
	hash, ok := hashToken(prefix, token)
	if !ok {
		return APIKey{}, unauthenticated()
	}
	presented, ok, err := s.line(ctx, hash)
	if err == nil && !ok {
		presented, err = s.verifyLine(ctx, hash)
	}
	if errors.Is(err, ErrNotFound) || err == nil && !presented.works(now) {
		return APIKey{}, unauthenticated()
	}
	if err != nil {
		return APIKey{}, err
	}
	return presented.keys[0], nil
}

// verifyLine returns the line of a token as the database has it, and keeps it. NotFound: there is
// no such key.
func (s *Service) verifyLine(ctx context.Context, hash TokenHash) (presented line, err error) {
	err = s.core.view(ctx, func(r *snapshot) error {
		key, err := r.rows.APIKeyByHash(ctx, hash)
		if err != nil {
			return err
		}
		if key.Hash != hash {
			return tampered("API key "+key.ID.String(), errIndex)
		}
		p, err := r.user(ctx, key.User)
		if err != nil {
			return err
		}
		presented, err = p.line(ctx, key)
		presented.since, presented.read = r.since, r.since
		return err
	})
	if err == nil && presented.whole {
		s.verified.addLine(hash, presented)
	}
	return presented, err
}

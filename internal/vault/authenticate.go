package vault

import (
	"context"
	"errors"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/plaintext"
)

// Authenticate returns who presents the token. Unauthenticated, without saying why: it is not a
// token, or it is of an unknown key or of one that is not active.
func (s *Service) Authenticate(ctx context.Context, token plaintext.Value) (Actor, error) {
	hash, ok := hashToken(tokenPrefix, token)
	if !ok {
		return Actor{}, unauthenticated()
	}
	now := s.now()
	presented, ok, err := s.line(ctx, hash)
	if err == nil && !ok {
		presented, err = s.verifyLine(ctx, hash)
	}
	if errors.Is(err, ErrNotFound) || err == nil && !presented.works(now) {
		return Actor{}, unauthenticated()
	}
	if err != nil {
		return Actor{}, err
	}
	key := presented.keys[0]
	s.used.touch(key.ID, now)
	return Actor{
		User:       key.User,
		Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: key.ID},
		Scopes:     key.Scopes,
		SelfRevoke: key.SelfRevoke,
		KeyName:    key.Name,
		ExpiresAt:  key.ExpiresAt,
	}, nil
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

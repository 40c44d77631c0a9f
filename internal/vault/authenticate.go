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
	hash, ok := hashToken(token)
	if !ok {
		return Actor{}, unauthenticated()
	}
	var key APIKey
	now := s.now()
	err := s.core.view(ctx, func(r *snapshot) (err error) {
		if key, err = r.rows.APIKeyByHash(ctx, hash); err != nil {
			return err
		}
		if key.Hash != hash {
			return tampered("API key "+key.ID.String(), errIndex)
		}
		p, err := r.user(ctx, key.User)
		if err != nil {
			return err
		}
		key.Active, err = p.works(ctx, key, now)
		return err
	})
	if errors.Is(err, ErrNotFound) || err == nil && !key.Active {
		return Actor{}, unauthenticated()
	}
	if err != nil {
		return Actor{}, err
	}
	s.used.touch(key.ID, now)
	return Actor{
		User:       key.User,
		Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: key.ID},
		Scopes:     key.Scopes,
		SelfRevoke: key.SelfRevoke,
	}, nil
}

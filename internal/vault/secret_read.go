package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// ListSecrets returns the caller's secrets, ordered by name. It needs the scope secrets:read.
func (s *Service) ListSecrets(ctx context.Context, who Actor) ([]Secret, error) {
	var secrets []Secret
	err := s.retry(who.Owner(), func() error {
		var stored []StoredSecret
		var by openers
		err := s.viewKept(ctx, who, policy.SecretList, func(p *page) (err error) {
			by = p.openers()
			stored, err = p.secretsFor(ctx, who)
			return err
		})
		if err != nil {
			return err
		}
		secrets, err = s.openMasks(ctx, by, stored)
		return err
	})
	return secrets, err
}

// GetSecret returns one of the caller's secrets. It needs the scope secrets:read. NotFound: there
// is none of that id, it is another user's, or not of the grant by which the caller acts.
func (s *Service) GetSecret(ctx context.Context, who Actor, id uuid.UUID) (Secret, error) {
	var secret Secret
	err := s.retry(who.Owner(), func() error {
		var stored StoredSecret
		var by openers
		err := s.viewKept(ctx, who, policy.SecretGet, func(p *page) (err error) {
			by = p.openers()
			if stored, err = p.secret(ctx, id); err == nil && who.mayNotUse(id) {
				err = ErrNotFound
			}
			return err
		})
		if err != nil {
			return err
		}
		secret, err = s.openMask(ctx, by, stored)
		return err
	})
	return secret, err
}

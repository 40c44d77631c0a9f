package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// OpenSecret returns the value of one of the caller's secrets to code in this process, once the
// audit entry for it is on the disk. No endpoint shows what it returns. It needs the scope
// leases:write. NotFound: there is none of that id, or it is another user's.
func (s *Service) OpenSecret(
	ctx context.Context, who Actor, id uuid.UUID,
) (plaintext.Value, error) {
	in := inOwnLibrary(who, policy.SecretOpen)
	if err := s.authorize(ctx, who, in.action); err != nil {
		return plaintext.Value{}, err
	}
	var value plaintext.Value
	err := s.retry(who.Owner(), func() error {
		stored, err := s.readSealed(ctx, who.Owner(), id)
		if err != nil {
			return err
		}
		value, err = s.keys.openValue(ctx, stored.Binding(), stored.SealedValue)
		if err != nil {
			return err
		}
		return s.update(ctx, in, func(c *change) error {
			c.record(stored.target())
			return c.checkVersion(ctx, stored)
		})
	})
	if err != nil {
		return plaintext.Value{}, err
	}
	return value, nil
}

// readSealed reads a secret with its value.
func (s *Service) readSealed(
	ctx context.Context, user, id uuid.UUID,
) (stored StoredSecret, err error) {
	err = s.store.View(ctx, func(r Reader) error {
		if stored, err = r.Secret(ctx, user, id); err != nil {
			return err
		}
		stored.SealedValue, err = r.SealedValue(ctx, user, id)
		return err
	})
	return stored, err
}

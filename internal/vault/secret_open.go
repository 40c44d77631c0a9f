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
	var value plaintext.Value
	err := s.retry(who.Owner(), func() error {
		var stored StoredSecret
		var by openers
		err := s.view(ctx, who, in.action, func(p *page) (err error) {
			by = p.openers()
			stored, err = p.sealedSecret(ctx, id)
			return err
		})
		if err != nil {
			return err
		}
		value, err = s.keys.openValue(ctx, by, stored.Binding(), stored.SealedValue)
		if err != nil {
			return err
		}
		return s.update(ctx, in, func(c *change) error {
			c.record(stored.target())
			_, err := c.current(ctx, stored)
			return err
		})
	})
	if err != nil {
		return plaintext.Value{}, err
	}
	return value, nil
}

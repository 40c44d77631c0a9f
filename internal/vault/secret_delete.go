package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// DeleteSecret destroys one of the caller's secrets with all its versions. It needs the scope
// secrets:write. NotFound: there is none of that id, or it is another user's. Changed: tags are
// given, and it has another.
func (s *Service) DeleteSecret(
	ctx context.Context, who Actor, id uuid.UUID, anyOf ...Tag,
) error {
	in := inOwnLibrary(who, policy.SecretDelete)
	return s.update(ctx, in, func(c *change) error {
		stored, err := c.secret(ctx, id)
		if err == nil {
			err = stored.checkTag(anyOf)
		}
		if err != nil {
			return err
		}
		c.record(stored.target())
		return c.removeSecret(ctx, stored)
	})
}

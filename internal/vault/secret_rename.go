package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// RenameSecret gives one of the caller's secrets another name. Its value is not opened: only the
// mask is sealed anew. Old versions keep the name that they had. It needs the scope secrets:write.
// NotFound: there is none of that id, or it is another user's. Conflict: the caller has a secret of
// that name. Changed: tags are given, and it has another.
func (s *Service) RenameSecret(
	ctx context.Context, who Actor, id uuid.UUID, name Name, anyOf ...Tag,
) (Secret, error) {
	in := inOwnLibrary(who, policy.SecretRename)
	if err := s.authorize(ctx, who, in.action); err != nil {
		return Secret{}, err
	}
	if err := checkName(name.text); err != nil {
		return Secret{}, err
	}
	read := func(p *page) (StoredSecret, error) { return p.secret(ctx, id) }
	return s.takeTurn(ctx, in, id, anyOf, read, func(t turn) (Secret, error) {
		if t.current.Name == name.text {
			return s.recordUnchanged(ctx, in, t)
		}
		shown, err := s.openMask(ctx, t.by, t.current)
		if err != nil {
			return Secret{}, err
		}
		next := t.current
		next.Name = name.text
		next.SealedMask = t.key.SealMask(next.Binding(), shown.Mask)
		return next.masked(shown.Mask), s.update(ctx, in, func(c *change) error {
			if err := c.stillSeals(t.key); err != nil {
				return err
			}
			was, err := c.current(ctx, t.current)
			if err != nil {
				return err
			}
			c.record(next.target())
			return withDetail(c.renameSecret(ctx, was, next),
				"There is already a secret of this name: choose another, or delete that one first")
		})
	})
}

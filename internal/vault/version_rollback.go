package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// RollbackSecret gives one of the caller's secrets the value of an older version again, as its next
// version: no number is used twice. A rollback to the current version changes nothing. It needs the
// scope secrets:write. NotFound: there is no secret of that id, or it is another user's. Invalid:
// that version is not kept, or never was. Changed: tags are given, and the secret has another.
func (s *Service) RollbackSecret(
	ctx context.Context, who Actor, id uuid.UUID, number uint64, anyOf ...Tag,
) (Secret, error) {
	in := inOwnLibrary(who, policy.SecretRollback)
	if err := s.authorize(ctx, who, in.action); err != nil {
		return Secret{}, err
	}
	var old StoredVersion
	read := func(p *page) (current StoredSecret, err error) {
		current, old, err = p.version(ctx, id, number)
		return current, err
	}
	return s.takeTurn(ctx, in, id, anyOf, read, func(t turn) (Secret, error) {
		if number == t.current.Version {
			return s.recordUnchanged(ctx, in, t)
		}
		value, err := s.keys.openValue(ctx, t.by, old.Binding(t.current), old.SealedValue)
		if err != nil {
			return Secret{}, err
		}
		return s.addVersion(ctx, in, t, Value{value})
	})
}

// version returns a secret and, if it is not the current one, a version of it.
func (p *page) version(
	ctx context.Context, id uuid.UUID, number uint64,
) (current StoredSecret, old StoredVersion, err error) {
	if current, err = p.secret(ctx, id); err != nil || number == current.Version {
		return current, old, err
	}
	old, err = p.oldVersion(ctx, id, number)
	if errors.Is(err, ErrNotFound) {
		err = invalid(Field{"version", OneOf, "Not a version that is kept"})
	}
	return current, old, err
}

// recordUnchanged records a change of a secret to what it is already.
func (s *Service) recordUnchanged(ctx context.Context, in intent, t turn) (Secret, error) {
	secret, err := s.openMask(ctx, t.by, t.current)
	if err != nil {
		return Secret{}, err
	}
	return secret, s.update(ctx, in, func(c *change) error {
		c.record(t.current.target())
		_, err := c.current(ctx, t.current)
		return err
	})
}

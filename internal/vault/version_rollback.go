package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// RollbackSecret gives one of the caller's secrets the value of an older version again, as its next
// version: no number is used twice. A rollback to the current version changes nothing. It needs the
// scope secrets:write. NotFound: there is no secret of that id, or it is another user's. Invalid:
// that version is not kept, or never was.
func (s *Service) RollbackSecret(
	ctx context.Context, who Actor, id uuid.UUID, number uint64,
) (Secret, error) {
	in := inOwnLibrary(who, policy.SecretRollback)
	if err := s.authorize(ctx, who, in.action); err != nil {
		return Secret{}, err
	}
	return s.takeTurn(ctx, in, id, func(key seal.OwnerKey) (Secret, error) {
		current, old, err := s.readVersion(ctx, who.Owner(), id, number)
		if err != nil {
			return Secret{}, err
		}
		if number == current.Version {
			return s.recordRollback(ctx, in, current)
		}
		value, err := s.keys.openValue(ctx, old.Binding(current), old.SealedValue)
		if err != nil {
			return Secret{}, err
		}
		return s.addVersion(ctx, in, key, current, Value{value})
	})
}

// readVersion reads a secret and, if it is not the current one, a version of it.
func (s *Service) readVersion(
	ctx context.Context, user, id uuid.UUID, number uint64,
) (current StoredSecret, old StoredVersion, err error) {
	err = s.store.View(ctx, func(r Reader) error {
		if current, err = r.Secret(ctx, user, id); err != nil || number == current.Version {
			return err
		}
		old, err = r.OldVersion(ctx, user, id, number)
		if errors.Is(err, ErrNotFound) {
			return invalid(Field{"version", OneOf, "Not a version that is kept"})
		}
		return err
	})
	return current, old, err
}

// recordRollback records a rollback to the current version.
func (s *Service) recordRollback(
	ctx context.Context, in intent, current StoredSecret,
) (Secret, error) {
	secret, err := s.openMask(ctx, current)
	if err != nil {
		return Secret{}, err
	}
	return secret, s.update(ctx, in, func(c *change) error {
		c.record(current.target())
		return c.checkVersion(ctx, current)
	})
}

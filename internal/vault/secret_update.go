package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// UpdateSecret gives one of the caller's secrets a new value, as its next version. It needs the
// scope secrets:write. NotFound: there is none of that id, or it is another user's. Invalid: it is
// of a preset, and the value is a bad paste.
func (s *Service) UpdateSecret(
	ctx context.Context, who Actor, id uuid.UUID, value Value,
) (Secret, error) {
	if err := s.authorize(ctx, who, policy.SecretUpdate); err != nil {
		return Secret{}, err
	}
	if err := checkValue(value.plain); err != nil {
		return Secret{}, err
	}
	in := inOwnLibrary(who, policy.SecretUpdate)
	return s.takeTurn(ctx, in, id, func(key seal.OwnerKey) (Secret, error) {
		current, err := s.readSecret(ctx, who.Owner(), id)
		if err != nil {
			return Secret{}, err
		}
		if err := s.checkPreset(current, value); err != nil {
			return Secret{}, err
		}
		return s.addVersion(ctx, in, key, current, value)
	})
}

// takeTurn runs do, which makes a new version of a secret with the user's owner key, while no other
// update of that secret runs in this process, and again where another process was faster.
func (s *Service) takeTurn(
	ctx context.Context, in intent, secret uuid.UUID, do func(seal.OwnerKey) (Secret, error),
) (Secret, error) {
	var updated Secret
	err := s.retry(in.library.owner, func() error {
		key, err := s.keys.current(ctx, in.library.owner) // before the turn: it may take long
		if err != nil {
			return callerGone(err)
		}
		release, err := s.locks.acquire(ctx, secret)
		if err != nil {
			return err
		}
		defer release()
		updated, err = do(key)
		return err
	})
	if err != nil {
		return Secret{}, err
	}
	return updated, nil
}

// addVersion makes value the next version of a secret. The one that was current is archived with
// the versions before it; those beyond the limit are destroyed.
func (s *Service) addVersion(
	ctx context.Context, in intent, key seal.OwnerKey, current StoredSecret, value Value,
) (Secret, error) {
	if _, err := s.openMask(ctx, current); err != nil {
		return Secret{}, err // or the new mask would vouch for a name that something else put there
	}
	next, mask := current, value.mask()
	next.Version++
	next.seal(key, value, mask, s.time())
	err := s.update(ctx, in, func(c *change) error {
		if c.ledger.OwnerKey != key.ID() {
			return errStale
		}
		if err := c.checkVersion(ctx, current); err != nil {
			return err
		}
		c.record(next.target())
		return c.storeVersion(ctx, next, max(s.limits.versions, 1))
	})
	if err != nil {
		return Secret{}, err
	}
	return next.masked(mask), nil
}

// checkVersion returns [errStale] if a secret has another version than the one that was read. A
// version is what its stamp says, wherever the number was used before.
func (c *change) checkVersion(ctx context.Context, read StoredSecret) error {
	stored, err := c.Secret(ctx, read.User, read.ID)
	if err == nil && (stored.Version != read.Version || stored.Stamp != read.Stamp) {
		return errStale
	}
	return err
}

func (c *change) storeVersion(ctx context.Context, next StoredSecret, maxVersions int) error {
	if maxVersions > 1 {
		if err := c.ArchiveVersion(ctx, next.User, next.ID); err != nil {
			return err
		}
	}
	if err := c.UpdateSecret(ctx, next); err != nil {
		return err
	}
	if most := uint64(maxVersions); next.Version > most { //nolint:gosec // it is at least 1
		return c.PruneVersions(ctx, next.User, next.ID, next.Version-most)
	}
	return nil
}

// readSecret reads a secret without its value.
func (s *Service) readSecret(
	ctx context.Context, user, id uuid.UUID,
) (stored StoredSecret, err error) {
	err = s.store.Read(ctx, func(r Reader) error {
		stored, err = r.Secret(ctx, user, id)
		return err
	})
	return stored, err
}

package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"
)

// secretThen returns a secret as a request left it that was done before: as it is now, if that
// version is not kept any more. Conflict: it was deleted since.
func (s *Service) secretThen(
	ctx context.Context, who Actor, done *doneBefore, before error,
) (secret Secret, err error) {
	err = s.retry(who.Owner(), func() error {
		var now StoredSecret
		var then StoredVersion
		var by openers
		err := s.core.view(ctx, func(r *snapshot) error {
			p, err := r.user(ctx, who.Owner())
			if err != nil {
				return callerGone(err)
			}
			by = p.openers()
			now, then, err = p.secretThen(ctx, done.id, done.version)
			return err
		})
		if err != nil {
			return err
		}
		mask, err := s.keys.openMask(ctx, by, then.Binding(now), then.SealedMask)
		now.Name, now.Stamp, now.UpdatedAt = then.Name, then.Stamp, then.CreatedAt
		secret = now.masked(mask)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Secret{}, goneSince(before)
	}
	return secret, err
}

// secretThen returns a secret, and that version of it or the one that is current.
func (p *page) secretThen(
	ctx context.Context, id uuid.UUID, version uint64,
) (now StoredSecret, then StoredVersion, err error) {
	now, err = p.secret(ctx, id)
	if err != nil || now.Version == version {
		return now, now.version(), err
	}
	then, err = p.oldVersion(ctx, id, version)
	if errors.Is(err, ErrNotFound) {
		then, err = now.version(), nil
	}
	return now, then, err
}

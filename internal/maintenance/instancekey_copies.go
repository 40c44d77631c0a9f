package maintenance

import (
	"context"
	"slices"

	"github.com/google/uuid"
)

// changeCopies is changeKeysFile where servers of other machines share the database and have copies
// of the keys file. Every one of them must believe the new key before one signs with it. So each
// call does one step, and says what to do before the call after it.
func (r *instanceKeyRotation) changeCopies(ctx context.Context) error {
	named, err := r.Keys.InstanceKeys()
	if err != nil {
		return err
	}
	again := copyKeysFile(r.cfg) + ", and then run this again"
	if len(named) == 1 {
		id, err := r.add(ctx)
		if err != nil {
			return err
		}
		r.done.ID, r.done.Next = id, again
		return r.Keys.ChangeInstanceKeys(func(named []uuid.UUID) []uuid.UUID {
			return append(named, id)
		})
	}
	signer, added, err := r.Operator.InstanceSigner(ctx)
	if err != nil {
		return err
	}
	if last := len(named) - 1; signer == named[0] && added {
		r.done.ID, r.done.Next = named[last], again
		return r.Keys.ChangeInstanceKeys(func(named []uuid.UUID) []uuid.UUID {
			return append([]uuid.UUID{named[last]}, named[:last]...)
		})
	}
	r.done.ID, r.done.Next = named[0], copyKeysFile(r.cfg)
	if err := r.sign(ctx); err != nil {
		return err
	}
	return r.Keys.ChangeInstanceKeys(func(named []uuid.UUID) []uuid.UUID {
		return slices.Clone(named[:1])
	})
}

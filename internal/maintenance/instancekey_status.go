package maintenance

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// An InstanceKey is what is public about an instance key.
type InstanceKey struct {
	ID        uuid.UUID  `json:"id"`
	State     string     `json:"state"`      // as of a root key
	Ledgers   int        `json:"ledgers"`    // how many say that it signed them
	CreatedAt *time.Time `json:"created_at"` // nil if the database does not have it
}

// ListInstanceKeys returns the instance keys that the configuration names, in its order, and then
// others that the database has or that ledgers name. It opens no key. An error wraps
// [instance.ErrCannotOpen].
func ListInstanceKeys(ctx context.Context, cfg config.Config) (found []InstanceKey, err error) {
	i, err := openSealed(ctx, cfg)
	if err != nil {
		return nil, err
	}
	_, named, err := i.Keys.Named()
	if err == nil {
		found, err = listInstanceKeys(ctx, i, named)
	}
	if err = errors.Join(err, i.Close()); err != nil {
		return nil, instance.CannotOpen(err)
	}
	return found, nil
}

func listInstanceKeys(
	ctx context.Context, i *instance.Instance, named []uuid.UUID,
) (found []InstanceKey, err error) {
	stored, err := i.Operator.ListInstanceKeys(ctx)
	if err != nil {
		return nil, err
	}
	signed, err := i.Operator.LedgerSigners(ctx)
	if err != nil {
		return nil, err
	}
	for n, id := range named {
		state := stateConfigured
		if n == 0 {
			state = statePrimary
		}
		found = append(found, InstanceKey{ID: id, State: state})
	}
	at := func(id uuid.UUID) *InstanceKey {
		n := slices.IndexFunc(found, func(k InstanceKey) bool { return k.ID == id })
		if n < 0 {
			n = len(found)
			found = append(found, InstanceKey{ID: id, State: stateUnconfigured})
		}
		return &found[n]
	}
	for _, k := range stored {
		at(k.ID).CreatedAt = &k.CreatedAt
	}
	for _, id := range slices.SortedFunc(maps.Keys(signed), func(a, b uuid.UUID) int {
		return bytes.Compare(a[:], b[:])
	}) {
		at(id).Ledgers = signed[id]
	}
	return found, nil
}

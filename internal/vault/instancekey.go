package vault

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A StoredInstanceKey is an instance key as one root key wraps it.
type StoredInstanceKey struct {
	ID        uuid.UUID
	RootKey   uuid.UUID
	Wrapped   []byte
	CreatedAt time.Time
	// Successions are by which the keys from before vouch for its checkpoints, as
	// [audit.AppendSuccession] makes them. They are for those who verify exports.
	Successions []byte
}

type instanceKeyReader interface {
	// InstanceKeys returns all wrapped instance keys, in the order of their ids.
	InstanceKeys(ctx context.Context) ([]StoredInstanceKey, error)
}

type instanceKeyWriter interface {
	InsertInstanceKey(ctx context.Context, k StoredInstanceKey) error
	// SetSuccessions replaces the successions of an instance key.
	SetSuccessions(ctx context.Context, id uuid.UUID, successions []byte) error
	// DeleteInstanceKey destroys an instance key as one root key wraps it.
	DeleteInstanceKey(ctx context.Context, id, rootKey uuid.UUID) error
}

// CheckNew returns nil for a database that [Operator.Initialize] may initialize. Conflict: it has a
// root key, or users without one.
func (o *Operator) CheckNew(ctx context.Context) error {
	return o.store.View(ctx, func(r Reader) error { return checkNew(ctx, r) })
}

func checkNew(ctx context.Context, r Reader) error {
	known, err := r.RootKeys(ctx)
	if err != nil {
		return err
	}
	users, err := r.Users(ctx)
	if err != nil {
		return err
	}
	if len(known) > 0 || len(users) > 0 {
		return &Error{
			Kind: Conflict,
			Detail: fmt.Sprintf("The database is not new: it has %d root keys and %d users",
				len(known), len(users)),
		}
	}
	return nil
}

// Initialize stores the first root key of a database and the instance key, which signs from now on.
// The URL of the root key is for the audit log only. Conflict: the database is not new.
func (o *Operator) Initialize(
	ctx context.Context, root seal.RootKey, url, params string, key seal.InstanceKey,
) error {
	stored, err := o.storable(ctx, root, params)
	if err != nil {
		return err
	}
	wrapped, err := wrapInstanceKey(ctx, root, key)
	if err != nil {
		return err
	}
	o.keys.roots.add(root)
	o.instance.set([]uuid.UUID{key.ID()}, []seal.InstanceKey{key})
	in := intent{action: policy.InstanceCreate, library: newInstanceLibrary()}
	return o.apply(ctx, in, func(c *change) error {
		if err := checkNew(ctx, c.rows); err != nil {
			return err
		}
		if err := c.addRootKey(ctx, stored, url); err != nil {
			return err
		}
		wrapped.CreatedAt = c.at
		return c.tx.InsertInstanceKey(ctx, wrapped)
	})
}

// wrapInstanceKey wraps a key with a root key, and opens the result again: what a service cannot
// undo would be lost.
func wrapInstanceKey(
	ctx context.Context, root seal.RootKey, key seal.InstanceKey,
) (StoredInstanceKey, error) {
	blob, err := root.WrapInstance(ctx, key)
	if err == nil {
		_, err = root.UnwrapInstance(ctx, key.ID(), blob)
	}
	if err != nil {
		err = serviceError(fmt.Errorf("instance key %s: %w", key.ID(), err))
	}
	return StoredInstanceKey{ID: key.ID(), RootKey: root.ID(), Wrapped: blob}, err
}

// rewrapInstanceKeys wraps every instance key that is believed with another root key, too. A row
// that is already there counts only if it opens: the one that does may be dropped next.
func (o *Operator) rewrapInstanceKeys(ctx context.Context, to seal.RootKey) error {
	stored, err := o.ListInstanceKeys(ctx)
	if err != nil {
		return err
	}
	for _, key := range o.instance.all() {
		known := false
		var successions []byte
		for _, k := range stored {
			if k.ID == key.ID() {
				successions = k.Successions
			}
			if k.ID == key.ID() && k.RootKey == to.ID() {
				known = true
				if _, err := to.UnwrapInstance(ctx, k.ID, k.Wrapped); err != nil {
					return serviceError(fmt.Errorf("instance key %s: %w", k.ID, err))
				}
			}
		}
		if known {
			continue
		}
		next, err := wrapInstanceKey(ctx, to, key)
		if err != nil {
			return err
		}
		next.CreatedAt, next.Successions = o.time(), successions
		err = o.store.Update(ctx, func(tx Tx) error { return tx.InsertInstanceKey(ctx, next) })
		if err != nil {
			return err
		}
	}
	return nil
}

// dropInstanceKeys destroys the instance keys as a root key wraps them. Conflict: the first root
// key does not wrap one that is believed.
func (c *change) dropInstanceKeys(
	ctx context.Context, rootKey, first uuid.UUID, believed []uuid.UUID,
) error {
	stored, err := c.rows.InstanceKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range stored {
		if k.RootKey != rootKey {
			continue
		}
		again := func(o StoredInstanceKey) bool { return o.ID == k.ID && o.RootKey == first }
		if slices.Contains(believed, k.ID) && !slices.ContainsFunc(stored, again) {
			return &Error{
				Kind:   Conflict,
				Detail: "It still wraps the instance key: finish the rotation first",
			}
		}
		if err := c.tx.DeleteInstanceKey(ctx, k.ID, rootKey); err != nil {
			return err
		}
	}
	return nil
}

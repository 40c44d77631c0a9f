package vault

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// RetireRootKey forgets a root key, after it has opened every owner key with the root key that
// wraps it now. The errors are those of [Operator.DropRootKey].
func (o *Operator) RetireRootKey(ctx context.Context, id uuid.UUID) error {
	keys, err := o.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	first, err := o.firstRootKey(ctx)
	if err != nil {
		return err
	}
	if _, err := checkRetirable(keys, id, first.ID); err != nil {
		return err
	}
	for _, k := range keys {
		if k.ID != id {
			if err := o.OpenOwnerKeys(ctx, k.ID); err != nil {
				return err
			}
		}
	}
	return o.DropRootKey(ctx, id)
}

// DropRootKey forgets a root key that wraps nothing that is needed: the database does not know it
// any more, and no server wraps with it. Conflict: it is the first of the configuration, or still
// wraps a key. NotFound: there is none of that id.
func (o *Operator) DropRootKey(ctx context.Context, id uuid.UUID) error {
	first, err := o.firstRootKey(ctx)
	if err != nil {
		return err
	}
	believed, err := o.keys.roots.config.InstanceKeys()
	if err != nil {
		return err
	}
	in := intent{action: policy.RootKeyRetire, library: instanceLibrary()}
	err = o.apply(ctx, in, func(c *change) error {
		keys, err := countedRootKeys(ctx, c.rows)
		if err != nil {
			return err
		}
		dropped, err := checkRetirable(keys, id, first.ID)
		if err != nil {
			return err
		}
		if err := c.dropInstanceKeys(ctx, id, first.ID, believed); err != nil {
			return err
		}
		c.record(dropped.target())
		return c.tx.DeleteRootKey(ctx, id)
	})
	if err == nil {
		o.keys.roots.remove(id)
	}
	return err
}

// checkRetirable returns the root key of that id. Conflict: it is still needed.
func checkRetirable(keys []StoredRootKey, id, first uuid.UUID) (StoredRootKey, error) {
	for _, k := range keys {
		switch {
		case k.ID != id:
			continue
		case k.ID == first:
			return k, &Error{
				Kind:   Conflict,
				Detail: "It is the primary root key: rotate to another one first",
			}
		case k.OwnerKeys > 0:
			return k, &Error{
				Kind: Conflict,
				Detail: fmt.Sprintf(
					"It still wraps %d owner keys: finish the rotation first", k.OwnerKeys),
			}
		}
		return k, nil
	}
	return StoredRootKey{}, &Error{Kind: NotFound, Detail: "There is no such root key"}
}

// OpenOwnerKeys opens every owner key that a root key wraps. Its error names the first that does
// not open.
func (o *Operator) OpenOwnerKeys(ctx context.Context, rootKey uuid.UUID) error {
	after := uuid.Nil
	for {
		batch, err := o.ownerKeysWrappedBy(ctx, rootKey, after)
		if err != nil || len(batch) == 0 {
			return err
		}
		root, err := o.keys.roots.openID(ctx, rootKey)
		if err != nil {
			return err
		}
		unwrap := func(ctx context.Context, k *StoredOwnerKey) error {
			if _, err := root.Unwrap(ctx, k.User, k.ID, k.Wrapped); err != nil {
				return ownerKeyError(k, err)
			}
			return nil
		}
		if err := forEach(ctx, root.Remote(), batch, unwrap); err != nil {
			return err
		}
		after = batch[len(batch)-1].ID
	}
}

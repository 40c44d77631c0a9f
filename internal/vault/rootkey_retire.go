package vault

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// RetireRootKey records that a root key is no longer needed. Before that, it opens every owner key
// with the root key that wraps it now. A key that is already retired stays so. Conflict: it is the
// primary, or still wraps an owner key. NotFound: there is none of that id.
func (o *Operator) RetireRootKey(ctx context.Context, id uuid.UUID) error {
	keys, err := o.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	retired, err := checkRetirable(keys, id)
	if err != nil || retired.State == Retired {
		return err
	}
	for _, k := range keys {
		if k.ID != id {
			if err := o.OpenOwnerKeys(ctx, k.ID); err != nil {
				return err
			}
		}
	}
	in := intent{action: policy.RootKeyRetire, library: instanceLibrary()}
	return o.apply(ctx, in, func(c *change) error {
		keys, err := c.RootKeys(ctx)
		if err == nil {
			_, err = checkRetirable(keys, id)
		}
		if err != nil {
			return err
		}
		c.record(retired.target())
		return c.SetRootKeyState(ctx, id, Retired, c.at)
	})
}

// checkRetirable returns the root key of that id. Conflict: it is still needed.
func checkRetirable(keys []StoredRootKey, id uuid.UUID) (StoredRootKey, error) {
	for _, k := range keys {
		switch {
		case k.ID != id:
			continue
		case k.State == Primary:
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

package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// rotateBatch is how many owner keys one transaction rewraps: few enough that a request that waits
// for it does not notice.
const rotateBatch = 50

// maxParallelCalls bounds the concurrent calls of a key service.
const maxParallelCalls = 8

// AddRootKey makes a root key known to the database, so that it may wrap. If it is already known,
// nothing changes. The URL is for the audit log only. Owner keys stay as they are until
// [Operator.RewrapKeys].
func (o *Operator) AddRootKey(ctx context.Context, root seal.RootKey, url, params string) error {
	stored, err := o.storable(ctx, root, params)
	if err != nil {
		return err
	}
	o.keys.roots.add(root)
	in := intent{action: policy.RootKeyAdd, library: instanceLibrary()}
	return o.apply(ctx, in, func(c *change) error { return c.addRootKey(ctx, stored, url) })
}

// storable returns the row of a root key, with a check value that opens.
func (o *Operator) storable(
	ctx context.Context, root seal.RootKey, params string,
) (StoredRootKey, error) {
	check, err := root.Check(ctx)
	if err == nil {
		err = root.OpenCheck(ctx, check)
	}
	if err != nil {
		return StoredRootKey{}, rootKeyError(&RootKeyError{ID: root.ID(), Cause: err})
	}
	return StoredRootKey{ID: root.ID(), Params: params, Check: check}, nil
}

func (c *change) addRootKey(ctx context.Context, k StoredRootKey, url string) error {
	_, err := c.rows.RootKey(ctx, k.ID)
	if err == nil {
		return errUnchanged
	}
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	target := k.target()
	target.Name = url
	c.record(target)
	k.CreatedAt = c.at
	return c.tx.InsertRootKey(ctx, k)
}

// RewrapKeys wraps with the first root key every owner key that another root key wraps, batch by
// batch, and every instance key that is believed. Each is opened with the first root key before it
// is stored. It may be interrupted at any point and begun again. progress is called after each
// batch of owner keys. What a root key wraps that the configuration does not name is left, and the
// error wraps [ErrNotConfigured].
func (o *Operator) RewrapKeys(ctx context.Context, progress func(done, total int)) error {
	first, err := o.firstRootKey(ctx)
	if err != nil {
		return err
	}
	to, err := o.keys.roots.open(ctx, first)
	if err != nil {
		return err
	}
	if err := o.openInstanceKeys(ctx); err != nil {
		return err
	}
	if err := o.rewrapInstanceKeys(ctx, to); err != nil {
		return err
	}
	keys, err := o.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	total, done := 0, 0
	for _, k := range keys {
		if k.ID != first.ID {
			total += k.OwnerKeys
		}
	}
	progress(0, total)
	var foreign []error
	for _, k := range keys {
		if k.ID == first.ID || k.OwnerKeys == 0 {
			continue
		}
		err := o.rewrapFrom(ctx, k, to, func(n int) { done += n; progress(done, total) })
		if errors.Is(err, ErrNotConfigured) {
			foreign = append(foreign, fmt.Errorf("%d owner keys stay as they are: %w",
				k.OwnerKeys, err))
		} else if err != nil {
			return err
		}
	}
	return errors.Join(foreign...)
}

// rewrapFrom wraps every owner key of one root key with another.
func (o *Operator) rewrapFrom(
	ctx context.Context, of StoredRootKey, to seal.RootKey, progress func(n int),
) error {
	from, err := o.keys.roots.open(ctx, of)
	if err != nil {
		return err
	}
	after := uuid.Nil
	for {
		batch, err := o.ownerKeysWrappedBy(ctx, of.ID, after)
		if err != nil || len(batch) == 0 {
			return err
		}
		after = batch[len(batch)-1].ID
		rewrap := func(ctx context.Context, k *StoredOwnerKey) error {
			key, err := from.Unwrap(ctx, k.User, k.ID, k.Wrapped)
			if err != nil {
				return ownerKeyError(k, err)
			}
			return wrapOwnerKey(ctx, to, key, k)
		}
		if err := forEach(ctx, from.Remote() || to.Remote(), batch, rewrap); err != nil {
			return err
		}
		began := time.Now()
		if err := o.storeRewrapped(ctx, batch, of); err != nil {
			return err
		}
		progress(len(batch))
		pause(ctx, time.Since(began))
	}
}

// storeRewrapped stores a batch. The last batch of a root key appends the audit entry, in the same
// transaction.
func (o *Operator) storeRewrapped(
	ctx context.Context, batch []StoredOwnerKey, of StoredRootKey,
) error {
	in := intent{action: policy.RootKeyRewrap, library: instanceLibrary()}
	return o.transact(ctx, in, func(c *change) error {
		for _, k := range batch {
			if err := c.tx.RewrapOwnerKey(ctx, k, of.ID); err != nil {
				return err
			}
		}
		left, err := c.rows.OwnerKeysWrappedBy(ctx, of.ID, uuid.Nil, 1)
		if err != nil || len(left) > 0 {
			return err
		}
		c.record(of.target())
		return c.finish(ctx, in)
	})
}

func (o *Operator) ownerKeysWrappedBy(
	ctx context.Context, rootKey, after uuid.UUID,
) (batch []StoredOwnerKey, err error) {
	err = o.store.Read(ctx, func(r Reader) error {
		batch, err = r.OwnerKeysWrappedBy(ctx, rootKey, after, o.batch)
		return err
	})
	return batch, err
}

// forEach calls do for every element, concurrently where do calls a service.
func forEach[T any](
	ctx context.Context, remote bool, all []T, do func(context.Context, *T) error,
) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(1)
	if remote {
		group.SetLimit(maxParallelCalls)
	}
	for i := range all {
		group.Go(func() error { return do(ctx, &all[i]) })
	}
	return group.Wait()
}

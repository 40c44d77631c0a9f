package vault

import (
	"context"
	"errors"
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

// errUnchanged ends a transaction that found nothing to do.
var errUnchanged = errors.New("nothing to do")

// AddRootKey makes root the primary: the first of a database, or the one that replaces the primary
// so far. If it is already the primary, only its URL may change. Running servers notice by
// themselves. Owner keys stay as they are until [Operator.RewrapOwnerKeys].
func (o *Operator) AddRootKey(ctx context.Context, root seal.RootKey, url, params string) error {
	check, err := root.Check(ctx)
	if err == nil {
		err = root.OpenCheck(ctx, check)
	}
	if err != nil {
		return rootKeyError(&RootKeyError{ID: root.ID(), URL: url, Cause: err})
	}
	o.keys.roots.add(root)
	in := intent{action: policy.RootKeyAdd, library: instanceLibrary()}
	err = o.apply(ctx, in, func(c *change) error {
		stored := StoredRootKey{
			ID: root.ID(), URL: url, Params: params, State: Primary, Check: check, CreatedAt: c.at,
		}
		c.record(stored.target())
		return c.makePrimary(ctx, stored)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

func (c *change) makePrimary(ctx context.Context, next StoredRootKey) error {
	keys, err := c.RootKeys(ctx)
	if err != nil {
		return err
	}
	known := false
	for _, k := range keys {
		known = known || k.ID == next.ID
		switch {
		case k.State == Primary && k.ID == next.ID && k.URL == next.URL:
			return errUnchanged
		case k.State == Primary && k.ID == next.ID:
			return c.SetRootKeyURL(ctx, next.ID, next.URL)
		case k.State == Primary:
			if err := c.SetRootKeyState(ctx, k.ID, Replaced, c.at); err != nil {
				return err
			}
		}
	}
	if !known {
		return c.InsertRootKey(ctx, next)
	}
	// back to one that was replaced, which may have moved
	if err := c.SetRootKeyURL(ctx, next.ID, next.URL); err != nil {
		return err
	}
	return c.SetRootKeyState(ctx, next.ID, Primary, c.at)
}

// RewrapOwnerKeys wraps with the primary every owner key that another root key wraps, batch by
// batch. Each is opened with the primary before it is stored. It may be interrupted at any point
// and begun again. progress is called after each batch. Unavailable: the primary has changed in the
// meantime.
func (o *Operator) RewrapOwnerKeys(ctx context.Context, progress func(done, total int)) error {
	keys, err := o.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	var primary StoredRootKey
	total, done := 0, 0
	for _, k := range keys {
		if k.State == Primary {
			primary = k
		} else {
			total += k.OwnerKeys
		}
	}
	to, err := o.keys.roots.openID(ctx, primary.ID)
	if err != nil {
		return err
	}
	progress(0, total)
	for _, k := range keys {
		if k.State == Primary || k.OwnerKeys == 0 {
			continue
		}
		err := o.rewrapFrom(ctx, k, to, func(n int) { done += n; progress(done, total) })
		if err != nil {
			return err
		}
	}
	return nil
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
		if err := o.storeRewrapped(ctx, batch, of, to.ID()); err != nil {
			return err
		}
		progress(len(batch))
		pause(ctx, time.Since(began))
	}
}

// storeRewrapped stores a batch. The last batch of a root key appends the audit entry, in the same
// transaction.
func (o *Operator) storeRewrapped(
	ctx context.Context, batch []StoredOwnerKey, of StoredRootKey, to uuid.UUID,
) error {
	in := intent{action: policy.RootKeyRewrap, library: instanceLibrary()}
	err := o.transact(ctx, in, func(c *change) error {
		if err := checkPrimary(ctx, c, to); err != nil {
			return err
		}
		for _, k := range batch {
			if err := c.RewrapOwnerKey(ctx, k, of.ID); err != nil {
				return err
			}
		}
		left, err := c.OwnerKeysWrappedBy(ctx, of.ID, uuid.Nil, 1)
		if err != nil || len(left) > 0 {
			return err
		}
		c.record(of.target())
		return c.finish(ctx, in)
	})
	if errors.Is(err, errStale) {
		return &Error{
			Kind:   Unavailable,
			Detail: "Another root key has become the primary in the meantime: begin again",
			Cause:  err,
		}
	}
	return err
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

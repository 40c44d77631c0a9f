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

// What is here is for the operator at the machine itself, and in no API. It works beside servers
// that serve.

// rotateBatch is how many owner keys are rewrapped in one transaction: few enough that a request
// which waits for it does not notice.
const rotateBatch = 50

// servicesAtOnce is how many calls of a key service go on at once.
const servicesAtOnce = 8

// AddRootKey makes root the primary: the first of a database, or the one that replaces the primary
// so far. If it is the primary already nothing changes. Servers that run take it up by themselves.
// Owner keys are not touched: that is [Service.Rewrap].
func (s *Service) AddRootKey(ctx context.Context, root seal.RootKey, url, params string) error {
	check, err := root.Check(ctx)
	if err == nil {
		err = root.OpenCheck(ctx, check)
	}
	if err != nil {
		return rootKeyError(&RootKeyError{ID: root.ID(), URL: url, Cause: err})
	}
	s.keys.roots.add(root)
	in := intent{action: policy.RootKeyAdd, library: instanceLibrary()}
	err = s.apply(ctx, in, func(c *change) error {
		stored := StoredRootKey{
			ID:        root.ID(),
			URL:       url,
			Params:    params,
			State:     Primary,
			Check:     check,
			CreatedAt: c.at,
		}
		c.record(stored.target())
		return c.makePrimary(ctx, stored)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return err
}

// errUnchanged ends a transaction that found nothing to do.
var errUnchanged = errors.New("nothing to do")

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
			return c.MoveRootKey(ctx, next.ID, next.URL)
		case k.State == Primary:
			if err := c.SetRootKeyState(ctx, k.ID, Replaced, c.at); err != nil {
				return err
			}
		}
	}
	if known { // back to one that was replaced, wherever it is now
		if err := c.MoveRootKey(ctx, next.ID, next.URL); err != nil {
			return err
		}
		return c.SetRootKeyState(ctx, next.ID, Primary, c.at)
	}
	return c.InsertRootKey(ctx, next)
}

// Rewrap wraps with the primary every owner key that another root key wraps, batch by batch. Each
// is opened with the primary before it is stored. It may be stopped at any point and begun again.
// progress is told after each batch.
func (s *Service) Rewrap(ctx context.Context, progress func(done, total int)) error {
	keys, err := s.ListRootKeys(ctx)
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
	to, err := s.rootKey(ctx, primary.ID)
	if err != nil {
		return err
	}
	progress(0, total)
	for _, k := range keys {
		if k.State == Primary || k.OwnerKeys == 0 {
			continue
		}
		if err := s.rewrapAll(
			ctx,
			k,
			to,
			func(n int) { done += n; progress(done, total) },
		); err != nil {
			return err
		}
	}
	return nil
}

// rewrapAll moves every owner key of one root key to another.
func (s *Service) rewrapAll(
	ctx context.Context,
	of StoredRootKey,
	to seal.RootKey,
	progress func(n int),
) error {
	from, err := s.rootKey(ctx, of.ID)
	if err != nil {
		return err
	}
	after := uuid.Nil
	for {
		batch, err := s.ownerKeysUnder(ctx, of.ID, after)
		if err != nil || len(batch) == 0 {
			return err
		}
		after = batch[len(batch)-1].ID
		if err := each(
			ctx,
			from.Remote() || to.Remote(),
			batch,
			func(ctx context.Context, k *StoredOwnerKey) error {
				return rewrap(ctx, from, to, k)
			},
		); err != nil {
			return err
		}
		began := time.Now()
		if err := s.storeRewrapped(ctx, batch, of, to.ID()); err != nil {
			return err
		}
		progress(len(batch))
		giveWay(ctx, time.Since(began))
	}
}

// maxRest bounds how long a rotation gives way at once.
const maxRest = 100 * time.Millisecond

// giveWay leaves the database to others for as long as a step of a rotation took, so that they have
// at least half of the time.
func giveWay(ctx context.Context, took time.Duration) {
	select {
	case <-time.After(min(took, maxRest)):
	case <-ctx.Done():
	}
}

// storeRewrapped stores a batch. With the last owner key of a root key goes the audit entry, in the
// same transaction.
func (s *Service) storeRewrapped(
	ctx context.Context,
	batch []StoredOwnerKey,
	of StoredRootKey,
	to uuid.UUID,
) error {
	return s.store.Update(ctx, func(tx Tx) error {
		if err := stillPrimary(ctx, tx, to); err != nil {
			return err
		}
		for _, k := range batch {
			if err := tx.RewrapOwnerKey(ctx, k, of.ID); err != nil {
				return err
			}
		}
		left, err := tx.OwnerKeysUnder(ctx, of.ID, uuid.Nil, 1)
		if err != nil || len(left) > 0 {
			return err
		}
		in := intent{action: policy.RootKeyRewrap, library: instanceLibrary()}
		return s.run(ctx, tx, in, func(c *change) error {
			c.record(of.target())
			return nil
		})
	})
}

// rewrap changes k to how to wraps it.
func rewrap(ctx context.Context, from, to seal.RootKey, k *StoredOwnerKey) error {
	key, err := from.Unwrap(ctx, k.User, k.ID, k.Wrapped)
	if err != nil {
		return ownerKeyError(k, err)
	}
	return wrap(ctx, to, key, k)
}

func ownerKeyError(k *StoredOwnerKey, err error) error {
	return serviceError(fmt.Errorf("owner key %s of user %s: %w", k.ID, k.User, err))
}

func (s *Service) ownerKeysUnder(
	ctx context.Context,
	rootKey, after uuid.UUID,
) (batch []StoredOwnerKey, err error) {
	err = s.store.View(ctx, func(r Reader) error {
		batch, err = r.OwnerKeysUnder(ctx, rootKey, after, s.batch)
		return err
	})
	return batch, err
}

// each calls do for every element, several at once where they wait for a service.
func each[T any](
	ctx context.Context,
	remote bool,
	all []T,
	do func(context.Context, *T) error,
) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(1)
	if remote {
		group.SetLimit(servicesAtOnce)
	}
	for i := range all {
		group.Go(func() error { return do(ctx, &all[i]) })
	}
	return group.Wait()
}

// RetireRootKey notes that a root key is needed no more. Conflict: it is the primary, or still
// wraps an owner key. NotFound: there is none of that id. Before that, every owner key is opened
// with the root key that wraps it now, as it is stored. One that is retired already stays so.
func (s *Service) RetireRootKey(ctx context.Context, id uuid.UUID) error {
	keys, err := s.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	retired, err := mayRetire(keys, id)
	if err != nil || retired.State == Retired {
		return err
	}
	for _, k := range keys {
		if k.ID != id {
			if err := s.OpenOwnerKeys(ctx, k.ID); err != nil {
				return err
			}
		}
	}
	in := intent{action: policy.RootKeyRetire, library: instanceLibrary()}
	return s.apply(ctx, in, func(c *change) error {
		keys, err := c.RootKeys(ctx)
		if err == nil {
			_, err = mayRetire(keys, id)
		}
		if err != nil {
			return err
		}
		c.record(retired.target())
		return c.SetRootKeyState(ctx, id, Retired, c.at)
	})
}

func mayRetire(keys []StoredRootKey, id uuid.UUID) (StoredRootKey, error) {
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
					"It still wraps %d owner keys: run root-key rotate to its end first",
					k.OwnerKeys,
				),
			}
		}
		return k, nil
	}
	return StoredRootKey{}, &Error{Kind: NotFound, Detail: "There is no such root key"}
}

// OpenOwnerKeys opens every owner key that a root key wraps. Its error names the first that does
// not open.
func (s *Service) OpenOwnerKeys(ctx context.Context, rootKey uuid.UUID) error {
	after := uuid.Nil
	for {
		batch, err := s.ownerKeysUnder(ctx, rootKey, after)
		if err != nil || len(batch) == 0 {
			return err
		}
		root, err := s.rootKey(ctx, rootKey)
		if err != nil {
			return err
		}
		err = each(ctx, root.Remote(), batch, func(ctx context.Context, k *StoredOwnerKey) error {
			if _, err := root.Unwrap(ctx, k.User, k.ID, k.Wrapped); err != nil {
				return ownerKeyError(k, err)
			}
			return nil
		})
		if err != nil {
			return err
		}
		after = batch[len(batch)-1].ID
	}
}

package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// unwrapBatch is how many owner keys are opened together, and maxParallel how many at the same time
// where a remote service does it.
const (
	unwrapBatch = 64
	maxParallel = 8
)

// An ownerKey is one that was opened, or why it does not open.
type ownerKey struct {
	vault.StoredOwnerKey

	key seal.OwnerKey
	err error
}

// ownerKeys opens every owner key, in the order of the source. After a damaged row it goes on.
func (e *examination) ownerKeys(ctx context.Context) iter.Seq2[ownerKey, error] {
	return func(yield func(ownerKey, error) bool) {
		batch := make([]ownerKey, 0, unwrapBatch)
		flush := func() bool {
			e.unwrap(ctx, batch)
			for _, k := range batch {
				if !yield(k, nil) {
					return false
				}
			}
			batch = batch[:0]
			return true
		}
		for k, err := range store.OwnerKeys(ctx, e.src) {
			if err != nil {
				if !flush() || !yield(ownerKey{}, err) {
					return
				}
				continue
			}
			batch = append(batch, ownerKey{StoredOwnerKey: k})
			if len(batch) == unwrapBatch && !flush() {
				return
			}
		}
		flush()
	}
}

func (e *examination) unwrap(ctx context.Context, batch []ownerKey) {
	var group sync.WaitGroup
	slots := make(chan struct{}, maxParallel)
	for i := range batch {
		k := &batch[i]
		root, found := e.roots[k.RootKey]
		switch {
		case !found:
			k.err = fmt.Errorf("its root key %s is missing or does not open", k.RootKey)
		case root.Remote():
			slots <- struct{}{}
			group.Go(func() { k.open(ctx, root); <-slots })
		default:
			k.open(ctx, root)
		}
	}
	group.Wait()
}

func (k *ownerKey) open(ctx context.Context, root seal.RootKey) {
	wrappedBy, err := seal.KeyID(k.Wrapped)
	if err == nil && wrappedBy != k.RootKey {
		err = errors.New("it is wrapped by another root key than its row says")
	}
	if err == nil {
		k.key, err = root.Unwrap(ctx, k.User, k.ID, k.Wrapped)
	}
	k.err = err
}

package doctor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/seal"
)

// unwrapBatch is how many owner keys are opened together, atOnce how many at the same time where a
// service elsewhere does it.
const (
	unwrapBatch = 64
	atOnce      = 8
)

// An ownerKey is one that was opened, or why it does not open.
type ownerKey struct {
	backup.OwnerKey
	key seal.OwnerKey
	err error
}

// unwrapped opens every owner key, in the order of the source.
func (e *examination) unwrapped(ctx context.Context) iter.Seq2[ownerKey, error] {
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
		for k, err := range e.src.OwnerKeys(ctx) {
			if err != nil {
				yield(ownerKey{OwnerKey: k}, err)
				return
			}
			if batch = append(batch, ownerKey{OwnerKey: k}); len(batch) == unwrapBatch && !flush() {
				return
			}
		}
		flush()
	}
}

func (e *examination) unwrap(ctx context.Context, batch []ownerKey) {
	var group sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for i := range batch {
		k := &batch[i]
		root, found := e.roots[k.RootKey]
		switch {
		case !found:
			k.err = fmt.Errorf("its root key %s is not there, or does not open", k.RootKey)
		case root.Remote():
			turns <- struct{}{}
			group.Go(func() { k.open(ctx, root); <-turns })
		default:
			k.open(ctx, root)
		}
	}
	group.Wait()
}

func (k *ownerKey) open(ctx context.Context, root seal.RootKey) {
	made, err := seal.KeyID(k.Wrapped)
	if err == nil && made != k.RootKey {
		err = errors.New("it is wrapped by another root key than its row says")
	}
	if err == nil {
		k.key, err = root.Unwrap(ctx, k.User, k.ID, k.Wrapped)
	}
	k.err = err
}

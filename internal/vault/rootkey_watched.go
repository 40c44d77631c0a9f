package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

// A watchedRootKey is one that a key service keeps. It remembers how its last use ended.
type watchedRootKey struct {
	seal.RootKey

	ring *rootKeyring
}

// saw remembers a failure of the service. Any other end is an answer of a service that works.
func (w watchedRootKey) saw(ctx context.Context, err error) {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		// Whoever asked went away, which says nothing of the service.
	case isTimeout(err), errors.Is(err, seal.ErrService):
		w.ring.remember(w.ring.faults, w.ID(), err)
	default:
		w.ring.forget(w.ID())
	}
}

func (w watchedRootKey) Wrap(
	ctx context.Context, owner uuid.UUID, k seal.OwnerKey,
) ([]byte, error) {
	blob, err := w.RootKey.Wrap(ctx, owner, k)
	w.saw(ctx, err)
	return blob, err
}

func (w watchedRootKey) Unwrap(
	ctx context.Context, owner, id uuid.UUID, blob []byte,
) (seal.OwnerKey, error) {
	key, err := w.RootKey.Unwrap(ctx, owner, id, blob)
	w.saw(ctx, err)
	return key, err
}

func (w watchedRootKey) WrapInstance(
	ctx context.Context, k seal.InstanceKey,
) ([]byte, error) {
	blob, err := w.RootKey.WrapInstance(ctx, k)
	w.saw(ctx, err)
	return blob, err
}

func (w watchedRootKey) UnwrapInstance(
	ctx context.Context, id uuid.UUID, blob []byte,
) (seal.InstanceKey, error) {
	key, err := w.RootKey.UnwrapInstance(ctx, id, blob)
	w.saw(ctx, err)
	return key, err
}

func (w watchedRootKey) Check(ctx context.Context) ([]byte, error) {
	blob, err := w.RootKey.Check(ctx)
	w.saw(ctx, err)
	return blob, err
}

func (w watchedRootKey) OpenCheck(ctx context.Context, blob []byte) error {
	err := w.RootKey.OpenCheck(ctx, blob)
	w.saw(ctx, err)
	return err
}

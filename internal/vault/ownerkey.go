package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/seal"
)

// A StoredOwnerKey is a wrapped owner key.
type StoredOwnerKey struct {
	ID        uuid.UUID // follows from the key's bits
	User      uuid.UUID
	RootKey   uuid.UUID
	Wrapped   []byte
	CreatedAt time.Time
}

type ownerKeyReader interface {
	// OwnerKey returns a user's owner key. NotFound: the user has no such key.
	OwnerKey(ctx context.Context, user, id uuid.UUID) (StoredOwnerKey, error)
	// OwnerKeysWrappedBy returns owner keys that a root key wraps, in the order of their ids, from
	// after that id.
	OwnerKeysWrappedBy(
		ctx context.Context, rootKey, after uuid.UUID, limit int,
	) ([]StoredOwnerKey, error)
}

type ownerKeyWriter interface {
	InsertOwnerKey(ctx context.Context, k StoredOwnerKey) error
	// RewrapOwnerKey stores an owner key as another root key wraps it, if the root key was still
	// wraps it.
	RewrapOwnerKey(ctx context.Context, k StoredOwnerKey, was uuid.UUID) error
	// DeleteOwnerKeys destroys all owner keys of a user.
	DeleteOwnerKeys(ctx context.Context, user uuid.UUID) error
	// DeleteOtherOwnerKeys destroys all owner keys of a user but one.
	DeleteOtherOwnerKeys(ctx context.Context, user, keep uuid.UUID) error
}

// newOwnerKey returns a new owner key, and how the first root key wraps it. The transaction that
// stores it must call checkRootKey.
func (c *core) newOwnerKey(
	ctx context.Context, user uuid.UUID,
) (StoredOwnerKey, seal.OwnerKey, error) {
	first, err := c.firstRootKey(ctx)
	if err != nil {
		return StoredOwnerKey{}, seal.OwnerKey{}, err
	}
	root, err := c.keys.roots.open(ctx, first)
	if err != nil {
		return StoredOwnerKey{}, seal.OwnerKey{}, err
	}
	key, err := seal.NewOwnerKey()
	if err != nil {
		return StoredOwnerKey{}, seal.OwnerKey{}, err
	}
	stored := StoredOwnerKey{ID: key.ID(), User: user, CreatedAt: c.time()}
	return stored, key, wrapOwnerKey(ctx, root, key, &stored)
}

// wrapOwnerKey wraps a key with a root key, and opens the result again: what a service cannot undo
// would be lost.
func wrapOwnerKey(
	ctx context.Context, root seal.RootKey, key seal.OwnerKey, stored *StoredOwnerKey,
) error {
	blob, err := root.Wrap(ctx, stored.User, key)
	if err != nil {
		return ownerKeyError(stored, err)
	}
	if err := checkWrapped(ctx, root, key, stored, blob); err != nil {
		return ownerKeyError(stored, err)
	}
	stored.RootKey, stored.Wrapped = root.ID(), blob
	return nil
}

func checkWrapped(
	ctx context.Context, root seal.RootKey, key seal.OwnerKey, stored *StoredOwnerKey, blob []byte,
) error {
	again, err := root.Unwrap(ctx, stored.User, stored.ID, blob)
	if err == nil && !again.Equal(key) {
		err = seal.ErrTampered
	}
	if err != nil && root.Remote() && !isTimeout(err) {
		return fmt.Errorf("%w: it does not open what it sealed: %w", seal.ErrService, err)
	}
	return err
}

func ownerKeyError(k *StoredOwnerKey, err error) error {
	return serviceError(fmt.Errorf("%s: %w", ownerKeyName(k.User, k.ID), err))
}

// checkRootKey returns [errStale] if the root key by which something was wrapped has been dropped
// since. Where another has become the first, a rotation wraps it again.
func checkRootKey(ctx context.Context, r Reader, rootKey uuid.UUID) error {
	_, err := r.RootKey(ctx, rootKey)
	if errors.Is(err, ErrNotFound) {
		return errStale
	}
	return err
}

// stillSeals returns [errStale] if another owner key than this one seals now.
func (c *change) stillSeals(key seal.OwnerKey) error {
	if c.ledger.OwnerKey != key.ID() {
		return errStale
	}
	return nil
}

// countSeal counts that the owner key sealed a version. Denied: it has sealed as often as it may.
func (c *change) countSeal() error {
	if c.ledger.Seals >= anchor.MaxSeals {
		return denied("The owner key has sealed as often as it may: the operator must rotate it")
	}
	c.ledger.Seals++
	return nil
}

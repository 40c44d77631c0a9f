package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

// A StoredInstanceKey is an instance key as one root key wraps it.
type StoredInstanceKey struct {
	ID        uuid.UUID
	RootKey   uuid.UUID
	Wrapped   []byte
	CreatedAt time.Time
}

type instanceKeyReader interface {
	// InstanceKeys returns all wrapped instance keys, in the order of their ids.
	InstanceKeys(ctx context.Context) ([]StoredInstanceKey, error)
}

type instanceKeyWriter interface {
	InsertInstanceKey(ctx context.Context, k StoredInstanceKey) error
	// DeleteInstanceKey destroys an instance key as one root key wraps it.
	DeleteInstanceKey(ctx context.Context, id, rootKey uuid.UUID) error
}

// instanceKeys are the instance keys that are believed. The first signs, the others only verify.
type instanceKeys struct {
	mu   sync.RWMutex
	keys []seal.InstanceKey
}

// errNoInstanceKey means that the use case came before the instance key was opened.
var errNoInstanceKey = errors.New("the instance key is not open")

// first returns the key that signs.
func (k *instanceKeys) first() (seal.InstanceKey, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	if len(k.keys) == 0 {
		return seal.InstanceKey{}, errNoInstanceKey
	}
	return k.keys[0], nil
}

// get returns the key of that id.
func (k *instanceKeys) get(id uuid.UUID) (seal.InstanceKey, bool) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, key := range k.keys {
		if key.ID() == id {
			return key, true
		}
	}
	return seal.InstanceKey{}, false
}

func (k *instanceKeys) set(keys []seal.InstanceKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys = keys
}

// OpenInstanceKeys opens the instance keys of these ids, of which the first signs from now on. Only
// they are believed. NotFound: the database does not have one of them.
func (o *Operator) OpenInstanceKeys(ctx context.Context, ids []uuid.UUID) error {
	stored, err := o.ListInstanceKeys(ctx)
	if err != nil {
		return err
	}
	keys := make([]seal.InstanceKey, len(ids))
	for i, id := range ids {
		if keys[i], err = o.openInstanceKey(ctx, stored, id); err != nil {
			return err
		}
	}
	o.instance.set(keys)
	return nil
}

// ListInstanceKeys returns all wrapped instance keys, in the order of their ids.
func (o *Operator) ListInstanceKeys(ctx context.Context) (stored []StoredInstanceKey, err error) {
	err = o.store.Read(ctx, func(r Reader) error {
		stored, err = r.InstanceKeys(ctx)
		return err
	})
	return stored, err
}

// openInstanceKey opens a key with the first of the root keys that wrap it and open.
func (o *Operator) openInstanceKey(
	ctx context.Context, stored []StoredInstanceKey, id uuid.UUID,
) (seal.InstanceKey, error) {
	err := error(&Error{Kind: NotFound, Detail: "The database has no instance key " + id.String()})
	for _, k := range stored {
		if k.ID != id {
			continue
		}
		var root seal.RootKey
		if root, err = o.keys.roots.openID(ctx, k.RootKey); err != nil {
			continue
		}
		var key seal.InstanceKey
		if key, err = root.UnwrapInstance(ctx, id, k.Wrapped); err == nil {
			return key, nil
		}
		err = tampered("instance key "+id.String(), err)
	}
	return seal.InstanceKey{}, err
}

// CreateInstanceKey makes a new instance key, which the primary root key wraps, and returns its id.
// It is believed once [Operator.OpenInstanceKeys] has opened it.
func (o *Operator) CreateInstanceKey(ctx context.Context) (uuid.UUID, error) {
	key, err := seal.NewInstanceKey()
	if err != nil {
		return uuid.Nil, err
	}
	primary, err := o.primary(ctx)
	if err != nil {
		return uuid.Nil, err
	}
	root, err := o.keys.roots.open(ctx, primary)
	if err != nil {
		return uuid.Nil, err
	}
	wrapped, err := root.WrapInstance(ctx, key)
	if err != nil {
		return uuid.Nil, err
	}
	return key.ID(), o.store.Update(ctx, func(tx Tx) error {
		return tx.InsertInstanceKey(ctx, StoredInstanceKey{
			ID: key.ID(), RootKey: root.ID(), Wrapped: wrapped, CreatedAt: o.time(),
		})
	})
}

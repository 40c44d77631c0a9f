package vault

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/seal"
)

// instanceKeys are the instance keys that are believed. The first signs, the others only verify.
type instanceKeys struct {
	opening sync.Mutex // held while the configuration is read and its keys are opened

	mu    sync.RWMutex
	keys  []seal.InstanceKey
	named []uuid.UUID // what the configuration named when they were opened
	asked time.Time   // when the configuration was last read
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

// all returns the keys that are believed.
func (k *instanceKeys) all() []seal.InstanceKey {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Clone(k.keys)
}

// areNamed reports whether the keys are those of a configuration that names these ids.
func (k *instanceKeys) areNamed(ids []uuid.UUID) bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return slices.Equal(ids, k.named)
}

func (k *instanceKeys) set(named []uuid.UUID, keys []seal.InstanceKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.named, k.keys, k.asked = named, keys, time.Now()
}

// instanceKeysTTL is how long the instance keys count before the configuration is read again: one
// that was taken out, because it leaked, must not be believed for long.
const instanceKeysTTL = 500 * time.Millisecond

// due reports, once in each instanceKeysTTL, that the configuration is to be read again.
func (k *instanceKeys) due() bool {
	k.mu.RLock()
	due := len(k.keys) > 0 && time.Since(k.asked) >= instanceKeysTTL
	k.mu.RUnlock()
	if !due {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	due = time.Since(k.asked) >= instanceKeysTTL
	k.asked = time.Now()
	return due
}

// OpenInstanceKeys opens the instance keys that the configuration names. Only they are believed.
// NotFound: the database does not have the first one. Without another one it is open: nothing that
// the database has was signed with it.
func (o *Operator) OpenInstanceKeys(ctx context.Context) error { return o.openInstanceKeys(ctx) }

func (c *core) openInstanceKeys(ctx context.Context) error {
	c.instance.opening.Lock()
	defer c.instance.opening.Unlock()
	return c.reopenInstanceKeys(ctx)
}

func (c *core) reopenInstanceKeys(ctx context.Context) error {
	ids, err := c.keys.roots.config.InstanceKeys()
	if err != nil || c.instance.areNamed(ids) {
		return err
	}
	stored, err := listInstanceKeys(ctx, c.store)
	if err != nil {
		return err
	}
	var keys []seal.InstanceKey
	for n, id := range ids {
		key, err := c.openInstanceKey(ctx, stored, id)
		switch {
		case err == nil:
			keys = append(keys, key)
		case n == 0 || KindOf(err) != NotFound:
			return err
		}
	}
	c.instance.set(ids, keys)
	c.verified.purge()
	return nil
}

// followInstanceKeys notices that the configuration names other instance keys than before. If one
// does not open, those that are open stay: what needs it says so. Only one caller waits for it.
func (c *core) followInstanceKeys(ctx context.Context) {
	if c.instance.due() && c.instance.opening.TryLock() {
		defer c.instance.opening.Unlock()
		_ = c.reopenInstanceKeys(ctx)
	}
}

// meetInstanceKey opens the instance keys again after a use case found a ledger that is signed with
// one that is not open: another process rotated it. The error is one of a key service.
func (c *core) meetInstanceKey(ctx context.Context, found error) error {
	if !errors.Is(found, anchor.ErrUnknownKey) {
		return nil
	}
	err := c.openInstanceKeys(ctx)
	switch KindOf(err) { //nolint:exhaustive // the others say nothing of a key service
	case Unavailable, BadGateway, GatewayTimeout:
		return err
	default: // the use case finds it again, and says what it is
		return nil
	}
}

// ListInstanceKeys returns all wrapped instance keys, in the order of their ids.
func (o *Operator) ListInstanceKeys(ctx context.Context) ([]StoredInstanceKey, error) {
	return listInstanceKeys(ctx, o.store)
}

func listInstanceKeys(ctx context.Context, store Store) (stored []StoredInstanceKey, err error) {
	err = store.Read(ctx, func(r Reader) error {
		stored, err = r.InstanceKeys(ctx)
		return err
	})
	return stored, err
}

// openInstanceKey opens a key with the first of the root keys that wrap it and open. One that is
// open stays so.
func (c *core) openInstanceKey(
	ctx context.Context, stored []StoredInstanceKey, id uuid.UUID,
) (seal.InstanceKey, error) {
	if key, open := c.instance.get(id); open {
		return key, nil
	}
	err := error(&Error{Kind: NotFound, Detail: "The database has no instance key " + id.String()})
	for _, k := range stored {
		if k.ID != id {
			continue
		}
		var root seal.RootKey
		if root, err = c.keys.roots.openID(ctx, k.RootKey); err != nil {
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

package vault

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/singleflight"

	"github.com/keysake/keysake/internal/seal"
)

const (
	// errorTTL is how long a failure to open a root key stands for further tries: each may take the
	// time of a passphrase or a service.
	errorTTL = time.Second
	// faultTTL is how long a failed use of a root key is reported. It is longer than two probes of
	// a load balancer are apart, and ends by itself: a server that gets no requests any more would
	// otherwise never learn that its key service is back.
	faultTTL = 30 * time.Second
)

// A rootKeyring keeps the root keys that are open. A root key stays open until the process ends, or
// is told that the configuration does not name it any more.
type rootKeyring struct {
	store  Store
	config Configuration
	now    func() time.Time
	calls  singleflight.Group

	mu         sync.Mutex
	keys       map[uuid.UUID]seal.RootKey
	openErrors map[uuid.UUID]cachedError
	faults     map[uuid.UUID]cachedError // of the last use of a key
}

// A cachedError is what a call returned, and when.
type cachedError struct {
	err error
	at  time.Time
}

func newRootKeyring(store Store, config Configuration, now func() time.Time) *rootKeyring {
	return &rootKeyring{
		store:      store,
		config:     config,
		now:        now,
		keys:       map[uuid.UUID]seal.RootKey{},
		openErrors: map[uuid.UUID]cachedError{},
		faults:     map[uuid.UUID]cachedError{},
	}
}

// get returns a root key that is open.
func (k *rootKeyring) get(id uuid.UUID) (seal.RootKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	root, found := k.keys[id]
	return root, found
}

// add keeps a root key that was opened elsewhere, and returns it. From now on its failures are
// known to fault.
func (k *rootKeyring) add(root seal.RootKey) seal.RootKey {
	if root.Remote() {
		root = watchedRootKey{root, k}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys[root.ID()] = root
	delete(k.openErrors, root.ID())
	delete(k.faults, root.ID())
	return root
}

// remove forgets a root key that the configuration does not name any more.
func (k *rootKeyring) remove(id uuid.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.keys, id)
}

// openID returns the root key of that id. One that another process has made is looked up in the
// database.
func (k *rootKeyring) openID(ctx context.Context, id uuid.UUID) (seal.RootKey, error) {
	if root, found := k.get(id); found {
		return root, nil
	}
	var stored StoredRootKey
	err := k.store.Read(ctx, func(r Reader) (err error) {
		stored, err = r.RootKey(ctx, id)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		err = tampered("root key "+id.String(), errors.New("the database does not know it"))
	}
	if err != nil {
		return nil, err
	}
	return k.open(ctx, stored)
}

// open returns a root key whose check value opens. Its error has a kind, and wraps a
// [*RootKeyError].
func (k *rootKeyring) open(ctx context.Context, stored StoredRootKey) (seal.RootKey, error) {
	if root, found := k.get(stored.ID); found {
		return root, nil
	}
	if last, found := k.cached(k.openErrors, stored.ID, errorTTL); found {
		return nil, last.err
	}
	return sharedCall(ctx, &k.calls, stored.ID.String(),
		func(ctx context.Context) (seal.RootKey, error) { return k.openUncached(ctx, stored) })
}

// openUncached is open for a caller who may take their time, such as a person who types a
// passphrase: no other caller waits for it.
func (k *rootKeyring) openUncached(
	ctx context.Context, stored StoredRootKey,
) (seal.RootKey, error) {
	if root, found := k.get(stored.ID); found {
		return root, nil
	}
	root, err := k.config.OpenRootKey(ctx, stored)
	if err == nil {
		err = root.OpenCheck(ctx, stored.Check)
	}
	if err != nil {
		err = rootKeyError(&RootKeyError{ID: stored.ID, Cause: err})
		k.remember(k.openErrors, stored.ID, err)
		k.remember(k.faults, stored.ID, err)
		return nil, err
	}
	return k.add(root), nil
}

// fault returns why the last use of a root key failed, if that was less than faultTTL ago. It opens
// nothing and asks nobody.
func (k *rootKeyring) fault(id uuid.UUID) error {
	last, _ := k.cached(k.faults, id, faultTTL)
	return last.err
}

// cached returns what a call returned less than ttl ago.
func (k *rootKeyring) cached(
	in map[uuid.UUID]cachedError, id uuid.UUID, ttl time.Duration,
) (cachedError, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	last, found := in[id]
	if !found || k.now().Sub(last.at) >= ttl {
		return cachedError{}, false
	}
	return last, true
}

func (k *rootKeyring) remember(in map[uuid.UUID]cachedError, id uuid.UUID, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	in[id] = cachedError{err, k.now()}
}

// forget removes the fault of a root key that works.
func (k *rootKeyring) forget(id uuid.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.faults, id)
}

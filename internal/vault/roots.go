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

// OpenRootKey opens a root key that the database knows.
type OpenRootKey func(ctx context.Context, k StoredRootKey) (seal.RootKey, error)

// askAgain is how long an answer about a root key stands: that it does not open, which may take a
// passphrase's time to find out, and that it answers a probe.
const askAgain = time.Second

// roots are the root keys that are open. A root key stays open as long as the process runs.
type roots struct {
	openRoot OpenRootKey
	now      func() time.Time
	flights  singleflight.Group

	mu     sync.Mutex
	open   map[uuid.UUID]seal.RootKey
	closed map[uuid.UUID]verdict // those that did not open
	probed map[uuid.UUID]verdict
}

// A verdict is what was found, and when.
type verdict struct {
	err error
	at  time.Time
}

func newRoots(open OpenRootKey, now func() time.Time) *roots {
	return &roots{
		openRoot: open,
		now:      now,
		open:     map[uuid.UUID]seal.RootKey{},
		closed:   map[uuid.UUID]verdict{},
		probed:   map[uuid.UUID]verdict{},
	}
}

// rootKey returns a root key of the database. One that this process has not seen, because another
// process made it, is looked up and opened.
func (s *Service) rootKey(ctx context.Context, id uuid.UUID) (seal.RootKey, error) {
	if root, found := s.keys.roots.get(id); found {
		return root, nil
	}
	keys, err := s.ListRootKeys(ctx)
	if err != nil {
		return nil, err
	}
	for _, stored := range keys {
		if stored.ID == id {
			return s.keys.roots.find(ctx, stored)
		}
	}
	return nil, tampered("root key "+id.String(), errors.New("the database does not know it"))
}

func (r *roots) get(id uuid.UUID) (seal.RootKey, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	root, found := r.open[id]
	return root, found
}

// add keeps a root key that was opened elsewhere.
func (r *roots) add(root seal.RootKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[root.ID()] = root
	delete(r.closed, root.ID())
}

// find returns an open root key whose check value opens. Its error has a [*RootKeyError], and a
// kind.
func (r *roots) find(ctx context.Context, stored StoredRootKey) (seal.RootKey, error) {
	if root, found := r.get(stored.ID); found {
		return root, nil
	}
	if err := r.fresh(r.closed, stored.ID); err != nil {
		return nil, err
	}
	return together(
		ctx,
		&r.flights,
		stored.ID.String(),
		func(ctx context.Context) (seal.RootKey, error) {
			return r.openNow(ctx, stored)
		},
	)
}

// openNow is find for a caller whom nobody joins, and who may take their time: a person who types a
// passphrase.
func (r *roots) openNow(ctx context.Context, stored StoredRootKey) (seal.RootKey, error) {
	root, err := r.openRoot(ctx, stored)
	if err == nil {
		err = root.OpenCheck(ctx, stored.Check)
	}
	if err != nil {
		err = rootKeyError(&RootKeyError{ID: stored.ID, URL: stored.URL, Cause: err})
		r.note(r.closed, stored.ID, err)
		return nil, err
	}
	r.add(root)
	return root, nil
}

// probe asks a root key for its check value, where that means to ask a service.
func (r *roots) probe(ctx context.Context, stored StoredRootKey) error {
	root, err := r.find(ctx, stored)
	if err != nil || !root.Remote() {
		return err
	}
	r.mu.Lock()
	last, found := r.probed[stored.ID]
	r.mu.Unlock()
	if found && r.now().Sub(last.at) < askAgain {
		return last.err
	}
	_, err = together(
		ctx,
		&r.flights,
		"probe "+stored.ID.String(),
		func(ctx context.Context) (seal.RootKey, error) {
			err := serviceError(root.OpenCheck(ctx, stored.Check))
			r.note(r.probed, stored.ID, err)
			return nil, err
		},
	)
	return err
}

// fresh returns the error of a verdict that still stands.
func (r *roots) fresh(of map[uuid.UUID]verdict, id uuid.UUID) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, found := of[id]; found && r.now().Sub(last.at) < askAgain {
		return last.err
	}
	return nil
}

func (r *roots) note(of map[uuid.UUID]verdict, id uuid.UUID, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	of[id] = verdict{err, r.now()}
}

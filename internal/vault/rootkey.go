package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
)

// ErrNotConfigured means that the configuration names no such root key. What such a key wraps was
// put there by someone else, or a configured key was taken out too early: it is never opened.
var ErrNotConfigured = errors.New("the configuration does not name it")

// A Configuration names the keys that are believed: no row of a database adds one. What it names
// may change while a server runs.
type Configuration interface {
	// FirstRootKey returns the id of the root key that wraps new keys. known are those that the
	// database knows.
	FirstRootKey(ctx context.Context, known []StoredRootKey) (uuid.UUID, error)
	// OpenRootKey opens a root key that the database knows. [ErrNotConfigured].
	OpenRootKey(ctx context.Context, k StoredRootKey) (seal.RootKey, error)
	// InstanceKeys returns the ids of the instance keys. The first signs.
	InstanceKeys() ([]uuid.UUID, error)
}

// A StoredRootKey is what the database knows of a root key: neither the key, nor where it is.
type StoredRootKey struct {
	ID        uuid.UUID
	Params    string // of a passphrase; empty for others
	Check     []byte // opened at every start
	OwnerKeys int    // how many it wraps, where they were counted
	CreatedAt time.Time
}

func (k StoredRootKey) target() audit.Target {
	return audit.Target{Kind: audit.TargetRootKey, ID: k.ID}
}

type rootKeyReader interface {
	// RootKeys returns all root keys, oldest first, without the number of OwnerKeys.
	RootKeys(ctx context.Context) ([]StoredRootKey, error)
	// RootKey returns a root key without the number of OwnerKeys. NotFound: there is none.
	RootKey(ctx context.Context, id uuid.UUID) (StoredRootKey, error)
	// CountOwnerKeysWrappedBy returns how many owner keys a root key wraps.
	CountOwnerKeysWrappedBy(ctx context.Context, rootKey uuid.UUID) (int, error)
}

type rootKeyWriter interface {
	InsertRootKey(ctx context.Context, k StoredRootKey) error
	// DeleteRootKey forgets a root key, which must wrap nothing.
	DeleteRootKey(ctx context.Context, id uuid.UUID) error
}

// A RootKeyError says which root key cannot be used and why; the cause says where it was looked
// for.
type RootKeyError struct {
	ID    uuid.UUID
	Cause error
}

func (e *RootKeyError) Error() string {
	return fmt.Sprintf("root key %s does not open: %v", e.ID, e.Cause)
}

func (e *RootKeyError) Unwrap() error { return e.Cause }

// ListRootKeys returns the root keys that the database knows, oldest first.
func (o *Operator) ListRootKeys(ctx context.Context) (keys []StoredRootKey, err error) {
	err = o.store.View(ctx, func(r Reader) error {
		keys, err = countedRootKeys(ctx, r)
		return err
	})
	return keys, err
}

func countedRootKeys(ctx context.Context, r Reader) ([]StoredRootKey, error) {
	keys, err := r.RootKeys(ctx)
	for i := range keys {
		if err == nil {
			keys[i].OwnerKeys, err = r.CountOwnerKeysWrappedBy(ctx, keys[i].ID)
		}
	}
	return keys, err
}

// CheckRootKeys opens the check value of every root key that the configuration names and that wraps
// an owner key, and of the first. It returns those that wrap some though the configuration does not
// name them: what they wrap does not open. NotFound: the database knows no root key yet, or not the
// first. An error of a key that does not open wraps a [*RootKeyError]: nothing may be served then.
func (o *Operator) CheckRootKeys(ctx context.Context) (foreign []StoredRootKey, err error) {
	keys, err := o.ListRootKeys(ctx)
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, ErrNotFound
	}
	first, err := o.keys.roots.config.FirstRootKey(ctx, keys)
	if err != nil {
		return nil, err
	}
	known, opened := false, false
	for _, k := range keys {
		known = known || k.ID == first
		if k.ID != first && k.OwnerKeys == 0 {
			continue
		}
		_, err := o.keys.roots.openUncached(ctx, k)
		switch {
		case errors.Is(err, ErrNotConfigured):
			foreign = append(foreign, k)
		case err != nil:
			return nil, err
		default:
			opened = true
		}
	}
	if !known && !opened { // none is ours: the configuration is that of another database
		return nil, &RootKeyError{ID: keys[0].ID, Cause: ErrNotConfigured}
	}
	if !known {
		return foreign, ErrNotFound
	}
	return foreign, nil
}

// ForgetRootKeys closes the root keys that the configuration does not name any more.
func (o *Operator) ForgetRootKeys(ctx context.Context) error {
	keys, err := listRootKeys(ctx, o.store)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if _, err := o.keys.roots.config.OpenRootKey(ctx, k); errors.Is(err, ErrNotConfigured) {
			o.keys.roots.remove(k.ID)
		}
	}
	return nil
}

func listRootKeys(ctx context.Context, store Store) (keys []StoredRootKey, err error) {
	err = store.Read(ctx, func(r Reader) error {
		keys, err = r.RootKeys(ctx)
		return err
	})
	return keys, err
}

// RootKeyFault returns why the first root key could not be used, if that happened a short time ago
// and it has not been used since. It does not try: callers may be many and unknown.
func (s *Service) RootKeyFault(ctx context.Context) error {
	first, err := s.firstRootKey(ctx)
	if err != nil {
		return err
	}
	return s.keys.roots.fault(first.ID)
}

// firstRootKey returns the root key that wraps new keys. Unavailable: the database does not know
// it.
func (c *core) firstRootKey(ctx context.Context) (StoredRootKey, error) {
	keys, err := listRootKeys(ctx, c.store)
	if err != nil {
		return StoredRootKey{}, err
	}
	id, err := c.keys.roots.config.FirstRootKey(ctx, keys)
	if err != nil {
		return StoredRootKey{}, rootKeyError(&RootKeyError{Cause: err})
	}
	for _, k := range keys {
		if k.ID == id {
			return k, nil
		}
	}
	return StoredRootKey{}, &Error{
		Kind:   Unavailable,
		Detail: "The first root key of the configuration is not in use yet: try again later",
		Cause:  fmt.Errorf("the database does not know root key %s", id),
	}
}

// rootKeyError gives a root key that does not open its kind.
func rootKeyError(err *RootKeyError) error {
	if errors.Is(err, ErrNotConfigured) {
		return tampered("root key "+err.ID.String(), err)
	}
	if failed := serviceError(err); KindOf(failed) != Internal {
		return failed
	}
	return &Error{
		Kind:   Unavailable,
		Detail: "A root key cannot be opened now: try again later",
		Cause:  err,
	}
}

// serviceError gives the failure of a key service its kind.
func serviceError(err error) error {
	switch {
	case isTimeout(err):
		return &Error{
			Kind:   GatewayTimeout,
			Detail: "The key service did not answer in time: try again later",
			Cause:  err,
		}
	case errors.Is(err, seal.ErrService):
		return &Error{
			Kind:   BadGateway,
			Detail: "The key service answered badly: try again later",
			Cause:  err,
		}
	}
	return err
}

func isTimeout(err error) bool { return errors.Is(err, seal.ErrServiceTimeout) }

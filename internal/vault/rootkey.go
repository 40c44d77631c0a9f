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

// A RootKeyState says what a root key is for.
type RootKeyState string

// The states. There is one primary.
const (
	Primary  RootKeyState = "primary"  // wraps new owner keys
	Replaced RootKeyState = "replaced" // may still wrap owner keys, but no new ones
	Retired  RootKeyState = "retired"  // wraps none, and is never opened again
)

// A StoredRootKey is what the database knows of a root key: never the key.
type StoredRootKey struct {
	ID         uuid.UUID
	URL        string
	Params     string // of a passphrase; empty for others
	State      RootKeyState
	Check      []byte // opened at every start
	OwnerKeys  int    // how many it wraps
	CreatedAt  time.Time
	ReplacedAt time.Time // zero for the primary
	RetiredAt  time.Time // zero for one that is not
}

func (k StoredRootKey) target() audit.Target {
	return audit.Target{Kind: audit.TargetRootKey, ID: k.ID, Name: k.URL}
}

// Required reports whether anything is lost without the key.
func (k StoredRootKey) Required() bool { return k.State == Primary || k.OwnerKeys > 0 }

type rootKeyReader interface {
	// RootKeys returns all root keys, oldest first.
	RootKeys(ctx context.Context) ([]StoredRootKey, error)
	// PrimaryRootKey returns the primary without the number of OwnerKeys. NotFound: the database
	// has none yet.
	PrimaryRootKey(ctx context.Context) (StoredRootKey, error)
}

type rootKeyWriter interface {
	InsertRootKey(ctx context.Context, k StoredRootKey) error
	// SetRootKeyURL stores where a root key is now.
	SetRootKeyURL(ctx context.Context, id uuid.UUID, url string) error
	// SetRootKeyState stores the state, and when a key was replaced or retired.
	SetRootKeyState(ctx context.Context, id uuid.UUID, state RootKeyState, at time.Time) error
}

// A RootKeyError says which root key cannot be used and why; the cause says where it was looked
// for. URL is where the database expects it.
type RootKeyError struct {
	ID    uuid.UUID
	URL   string
	Cause error
}

func (e *RootKeyError) Error() string {
	return fmt.Sprintf("root key %s does not open: %v", e.ID, e.Cause)
}

func (e *RootKeyError) Unwrap() error { return e.Cause }

// ListRootKeys returns the root keys, oldest first.
func (o *Operator) ListRootKeys(ctx context.Context) ([]StoredRootKey, error) {
	return listRootKeys(ctx, o.store)
}

func listRootKeys(ctx context.Context, store Store) (keys []StoredRootKey, err error) {
	err = store.Read(ctx, func(r Reader) error {
		keys, err = r.RootKeys(ctx)
		return err
	})
	return keys, err
}

// CheckRootKeys opens the check value of every root key that is still needed. NotFound: the
// database has no root key yet. The error for a key that does not open wraps a [*RootKeyError]:
// nothing may be served then.
func (o *Operator) CheckRootKeys(ctx context.Context) error {
	keys, err := o.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return ErrNotFound
	}
	for _, k := range keys {
		if _, open := o.keys.roots.get(k.ID); open || !k.Required() {
			continue
		}
		if _, err := o.keys.roots.openUncached(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// RootKeyFault returns why the primary root key could not be used, if that happened a short time
// ago and it has not been used since. It does not try: callers may be many and unknown.
func (s *Service) RootKeyFault(ctx context.Context) error {
	primary, err := s.primary(ctx)
	if err != nil {
		return err
	}
	return s.keys.roots.fault(primary.ID)
}

func (c *core) primary(ctx context.Context) (k StoredRootKey, err error) {
	err = c.store.Read(ctx, func(r Reader) error {
		k, err = r.PrimaryRootKey(ctx)
		return err
	})
	return k, err
}

// rootKeyError gives a root key that does not open its kind.
func rootKeyError(err *RootKeyError) error {
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

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
	Primary  RootKeyState = "primary"  // wraps what is wrapped now
	Replaced RootKeyState = "replaced" // may still wrap owner keys; wraps no more
	Retired  RootKeyState = "retired"  // wraps none, and is never asked for again
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

type rootKeyReader interface {
	// RootKeys returns all root keys, oldest first.
	RootKeys(ctx context.Context) ([]StoredRootKey, error)
	// PrimaryRootKey returns the primary, NotFound where the database has none yet. It does not
	// count OwnerKeys.
	PrimaryRootKey(ctx context.Context) (StoredRootKey, error)
	// OwnerKeysUnder returns owner keys that a root key wraps, in the order of their ids, from
	// after that id.
	OwnerKeysUnder(
		ctx context.Context,
		rootKey, after uuid.UUID,
		limit int,
	) ([]StoredOwnerKey, error)
}

type rootKeyWriter interface {
	InsertRootKey(ctx context.Context, k StoredRootKey) error
	// MoveRootKey notes where a root key is now.
	MoveRootKey(ctx context.Context, id uuid.UUID, url string) error
	// SetRootKeyState changes the state, and notes when a key was replaced or retired.
	SetRootKeyState(ctx context.Context, id uuid.UUID, state RootKeyState, at time.Time) error
	// RewrapOwnerKey stores the owner key as another root key wraps it, unless was is not the one
	// any more that does.
	RewrapOwnerKey(ctx context.Context, k StoredOwnerKey, was uuid.UUID) error
}

// A RootKeyError says which root key cannot be used and why; the cause says where it was looked
// for. URL is what the database remembers.
type RootKeyError struct {
	ID    uuid.UUID
	URL   string
	Cause error
}

func (e *RootKeyError) Error() string {
	return fmt.Sprintf("root key %s does not open: %v", e.ID, e.Cause)
}

func (e *RootKeyError) Unwrap() error { return e.Cause }

// ListRootKeys returns the root keys, oldest first. It is for the operator at the machine itself.
func (s *Service) ListRootKeys(ctx context.Context) (keys []StoredRootKey, err error) {
	err = s.store.View(ctx, func(r Reader) error {
		keys, err = r.RootKeys(ctx)
		return err
	})
	return keys, err
}

// CheckRootKeys opens the check value of every root key that is still needed. It returns
// [ErrNotFound] where the database has no root key yet, and for one that does not open a
// [*RootKeyError]: nothing may be answered then.
func (s *Service) CheckRootKeys(ctx context.Context) error {
	keys, err := s.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	if len(keys) == 0 {
		return ErrNotFound
	}
	for _, k := range keys {
		if k.State != Primary && k.OwnerKeys == 0 {
			continue
		}
		if _, open := s.keys.roots.get(k.ID); open {
			continue
		}
		if _, err := s.keys.roots.openNow(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// RootKeyAnswers tells whether the primary root key answers. It may be asked by anybody and often:
// a service is asked no more than once a second.
func (s *Service) RootKeyAnswers(ctx context.Context) error {
	primary, err := s.primary(ctx)
	if err != nil {
		return err
	}
	return s.keys.roots.probe(ctx, primary)
}

func (s *Service) primary(ctx context.Context) (k StoredRootKey, err error) {
	err = s.store.View(ctx, func(r Reader) error {
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

// serviceError gives what a key service did wrong its kind.
func serviceError(err error) error {
	switch {
	case errors.Is(err, seal.ErrServiceTimeout):
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

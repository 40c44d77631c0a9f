package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/keysake/keysake/internal/seal"
)

// maxOwnerKeys bounds the owner keys that are kept open in memory, about 200 bytes each.
const maxOwnerKeys = 50_000

// A StoredRootKey is what the database knows of a root key.
type StoredRootKey struct {
	ID        uuid.UUID
	Check     []byte // opened at every start
	CreatedAt time.Time
}

// A StoredOwnerKey is a wrapped owner key.
type StoredOwnerKey struct {
	ID        uuid.UUID
	User      uuid.UUID
	RootKey   uuid.UUID
	Wrapped   []byte
	CreatedAt time.Time
}

type rootKeyReader interface {
	// RootKey returns the root key that wraps the owner keys, NotFound where the database has none yet.
	RootKey(ctx context.Context) (StoredRootKey, error)
	// OwnerKey returns a user's owner key, NotFound where the user has no such key.
	OwnerKey(ctx context.Context, user, id uuid.UUID) (StoredOwnerKey, error)
}

type rootKeyWriter interface {
	InsertRootKey(ctx context.Context, k StoredRootKey) error
	InsertOwnerKey(ctx context.Context, k StoredOwnerKey) error
	// DeleteOwnerKeys destroys all owner keys of a user.
	DeleteOwnerKeys(ctx context.Context, user uuid.UUID) error
}

// keyring opens owner keys, and keeps the ones in use open. What it keeps it keeps by owner and id: one user's key is never found for another.
type keyring struct {
	root seal.RootKey
	open *lru.Cache[ownerKeyRef, seal.OwnerKey]
}

type ownerKeyRef struct{ user, id uuid.UUID }

func newKeyring(root seal.RootKey) *keyring {
	open, err := lru.New[ownerKeyRef, seal.OwnerKey](maxOwnerKeys)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	return &keyring{root: root, open: open}
}

// get returns a user's owner key.
func (k *keyring) get(ctx context.Context, r Reader, user, id uuid.UUID) (seal.OwnerKey, error) {
	ref := ownerKeyRef{user, id}
	if key, found := k.open.Get(ref); found {
		return key, nil
	}
	stored, err := r.OwnerKey(ctx, user, id)
	if errors.Is(err, ErrNotFound) {
		return seal.OwnerKey{}, tampered("owner key "+id.String()+" of user "+user.String(), errors.New("there is no such key"))
	}
	if err != nil {
		return seal.OwnerKey{}, err
	}
	key, err := k.root.Unwrap(user, id, stored.Wrapped)
	if err != nil {
		return seal.OwnerKey{}, tampered("owner key "+id.String()+" of user "+user.String(), err)
	}
	k.open.Add(ref, key)
	return key, nil
}

// sealedBy returns the owner key that made a blob.
func (k *keyring) sealedBy(ctx context.Context, r Reader, user uuid.UUID, blob []byte) (seal.OwnerKey, error) {
	id, err := seal.KeyID(blob)
	if err != nil {
		return seal.OwnerKey{}, tampered("sealed data of user "+user.String(), err)
	}
	return k.get(ctx, r, user, id)
}

// create makes an owner key for a user, wrapped and ready to be stored. It is not kept open: the transaction may yet fail.
func (k *keyring) create(user uuid.UUID, at time.Time) (StoredOwnerKey, error) {
	id, err := newID()
	if err != nil {
		return StoredOwnerKey{}, err
	}
	wrapped, err := k.root.Wrap(user, seal.NewOwnerKey(id))
	return StoredOwnerKey{ID: id, User: user, RootKey: k.root.ID(), Wrapped: wrapped, CreatedAt: at}, err
}

// forget drops a destroyed key.
func (k *keyring) forget(user, id uuid.UUID) { k.open.Remove(ownerKeyRef{user, id}) }

// ErrOtherRootKey is what [Service.CheckRootKey] returns for a root key that did not wrap what the database holds.
var ErrOtherRootKey = errors.New("the root key is not the one that this database was made with")

// CheckRootKey opens the database's check value with the root key. It returns [ErrNotFound] where the database has no root key yet, and
// [ErrOtherRootKey] for the wrong one: nothing may be answered then.
func (s *Service) CheckRootKey(ctx context.Context) error {
	return s.store.View(ctx, func(r Reader) error {
		stored, err := r.RootKey(ctx)
		if err != nil {
			return err
		}
		if err := s.keys.root.OpenCheck(stored.Check); err != nil {
			return fmt.Errorf("%w: the database needs root key %s, the one given is %s (%w)",
				ErrOtherRootKey, stored.ID, s.keys.root.ID(), err)
		}
		return nil
	})
}

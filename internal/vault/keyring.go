package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// A keyring opens owner keys, and keeps those in use open for a time. It finds a key by owner and
// id: one user's key is never found for another.
//
// A service elsewhere may keep the root key, so opening a key may take long: a keyring must not be
// asked in a transaction.
type keyring struct {
	store Store
	roots *rootKeyring
	keys  *expirable.LRU[ownerKeyRef, seal.OwnerKey]
	// currentIDs are the owner keys that seal, by user. Another process may have rotated one: what
	// is sealed counts only if the ledger names the same key when it is stored.
	currentIDs *expirable.LRU[uuid.UUID, uuid.UUID]
	calls      singleflight.Group
}

type ownerKeyRef struct{ user, id uuid.UUID }

func newKeyring(store Store, roots *rootKeyring, ttl time.Duration) *keyring {
	return &keyring{
		store:      store,
		roots:      roots,
		keys:       expirable.NewLRU[ownerKeyRef, seal.OwnerKey](maxOwnerKeys, nil, ttl),
		currentIDs: expirable.NewLRU[uuid.UUID, uuid.UUID](maxOwnerKeys, nil, ttl),
	}
}

// currentKey returns the owner key that seals a user's values. NotFound: there is no such user.
func (c *core) currentKey(ctx context.Context, user uuid.UUID) (seal.OwnerKey, error) {
	id, found := c.keys.currentIDs.Get(user)
	if !found {
		err := c.view(ctx, func(r *snapshot) error {
			p, err := r.user(ctx, user)
			if err == nil {
				id = p.ledger.OwnerKey
			}
			return err
		})
		if err != nil {
			return seal.OwnerKey{}, err
		}
		c.keys.currentIDs.Add(user, id)
	}
	return c.keys.open(ctx, user, id)
}

// open returns a user's owner key of that id. Its error wraps [errStale] and is tampering where
// there is no such key: a rotation may have replaced it after its id was read.
func (k *keyring) open(ctx context.Context, user, id uuid.UUID) (seal.OwnerKey, error) {
	if key, found := k.keys.Get(ownerKeyRef{user, id}); found {
		return key, nil
	}
	var stored StoredOwnerKey
	err := k.store.Read(ctx, func(r Reader) (err error) {
		stored, err = r.OwnerKey(ctx, user, id)
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return seal.OwnerKey{}, tampered(ownerKeyName(user, id), errStale)
	}
	if err != nil {
		return seal.OwnerKey{}, err
	}
	return sharedCall(ctx, &k.calls, user.String()+id.String(),
		func(ctx context.Context) (seal.OwnerKey, error) { return k.unwrap(ctx, stored) })
}

func (k *keyring) unwrap(ctx context.Context, stored StoredOwnerKey) (seal.OwnerKey, error) {
	root, err := k.roots.openID(ctx, stored.RootKey)
	if err != nil {
		return seal.OwnerKey{}, err
	}
	key, err := root.Unwrap(ctx, stored.User, stored.ID, stored.Wrapped)
	if err != nil {
		if err := serviceError(err); KindOf(err) != Internal {
			return seal.OwnerKey{}, err
		}
		return seal.OwnerKey{}, tampered(ownerKeyName(stored.User, stored.ID), err)
	}
	k.keys.Add(ownerKeyRef{stored.User, stored.ID}, key)
	return key, nil
}

func ownerKeyName(user, id uuid.UUID) string {
	return fmt.Sprintf("owner key %s of user %s", id, user)
}

// add keeps a user's new owner key, which seals from now on.
func (k *keyring) add(user uuid.UUID, key seal.OwnerKey) {
	k.keys.Add(ownerKeyRef{user, key.ID()}, key)
	k.currentIDs.Add(user, key.ID())
}

// drop forgets a key that was destroyed.
func (k *keyring) drop(user, id uuid.UUID) {
	k.keys.Remove(ownerKeyRef{user, id})
	k.dropCurrent(user)
}

// dropCurrent forgets which owner key seals a user's values.
func (k *keyring) dropCurrent(user uuid.UUID) { k.currentIDs.Remove(user) }

// openers are the owner keys of which a ledger says that they open what is the user's.
type openers struct {
	user uuid.UUID
	ids  [2]uuid.UUID
}

func (p *page) openers() openers {
	return openers{p.owner, [2]uuid.UUID{p.ledger.OwnerKey, p.ledger.PreviousKey}}
}

var errOtherOwnerKey = errors.New("it was sealed with a key that the ledger does not name")

// openerOf returns the owner key that sealed a blob.
func (k *keyring) openerOf(ctx context.Context, by openers, blob []byte) (seal.OwnerKey, error) {
	id, err := seal.KeyID(blob)
	if err == nil && (id == uuid.Nil || !slices.Contains(by.ids[:], id)) {
		err = errOtherOwnerKey
	}
	if err != nil {
		return seal.OwnerKey{}, tampered("sealed data of user "+by.user.String(), err)
	}
	return k.open(ctx, by.user, id)
}

// openValue opens a sealed value. Its error wraps [ErrTampered] if the blob is not the one that was
// sealed for that binding.
func (k *keyring) openValue(
	ctx context.Context, by openers, b seal.Binding, blob []byte,
) (plaintext.Value, error) {
	key, err := k.openerOf(ctx, by, blob)
	if err != nil {
		return plaintext.Value{}, err
	}
	value, err := key.OpenValue(b, blob)
	if err != nil {
		return plaintext.Value{}, tampered("value of secret "+b.Secret.String(), err)
	}
	return value, nil
}

// openMask opens a sealed mask, with the errors of openValue.
func (k *keyring) openMask(
	ctx context.Context, by openers, b seal.Binding, blob []byte,
) (string, error) {
	key, err := k.openerOf(ctx, by, blob)
	if err != nil {
		return "", err
	}
	return maskOf(key, b, blob)
}

// maskOf opens a sealed mask with its owner key.
func maskOf(key seal.OwnerKey, b seal.Binding, blob []byte) (string, error) {
	mask, err := key.OpenMask(b, blob)
	if err != nil {
		return "", tampered("mask of secret "+b.Secret.String(), err)
	}
	return mask, nil
}

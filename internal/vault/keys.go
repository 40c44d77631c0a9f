package vault

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/expirable"
	"golang.org/x/sync/singleflight"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// maxOwnerKeys bounds the owner keys that are kept open in memory, about 200 bytes each.
const maxOwnerKeys = 50_000

// A StoredOwnerKey is a wrapped owner key.
type StoredOwnerKey struct {
	ID        uuid.UUID
	User      uuid.UUID
	RootKey   uuid.UUID
	Wrapped   []byte
	CreatedAt time.Time
}

type ownerKeyReader interface {
	// OwnerKey returns a user's owner key, NotFound where the user has no such key.
	OwnerKey(ctx context.Context, user, id uuid.UUID) (StoredOwnerKey, error)
	// OwnerKeysBefore returns owner keys that were made before a time, in the order of their ids,
	// from after that id.
	OwnerKeysBefore(
		ctx context.Context,
		before time.Time,
		after uuid.UUID,
		limit int,
	) ([]StoredOwnerKey, error)
	// CountOwnerKeysBefore returns how many there are of them.
	CountOwnerKeysBefore(ctx context.Context, before time.Time) (int, error)
}

type ownerKeyWriter interface {
	InsertOwnerKey(ctx context.Context, k StoredOwnerKey) error
	// DeleteOwnerKeys destroys all owner keys of a user.
	DeleteOwnerKeys(ctx context.Context, user uuid.UUID) error
	// DeleteOtherOwnerKeys destroys all owner keys of a user but one.
	DeleteOtherOwnerKeys(ctx context.Context, user, keep uuid.UUID) error
}

// keyring opens owner keys, and keeps the ones in use open for a time. What it keeps it keeps by
// owner and id: one user's key is never found for another.
//
// A root key may be kept by a service elsewhere. So no key is opened in a transaction, which others
// may wait for: there a key that is not open is the error [*closedKey], and withKeys opens it
// outside and tries again.
type keyring struct {
	roots   *roots
	open    *expirable.LRU[ownerKeyRef, seal.OwnerKey]
	flights singleflight.Group // requests for the same key ask once
}

type ownerKeyRef struct{ user, id uuid.UUID }

func newKeyring(r *roots, ttl time.Duration) *keyring {
	return &keyring{
		roots: r,
		open:  expirable.NewLRU[ownerKeyRef, seal.OwnerKey](maxOwnerKeys, nil, ttl),
	}
}

// closedKey is the error of a transaction that needs an owner key which is not open.
type closedKey struct{ stored StoredOwnerKey }

func (*closedKey) Error() string { return "an owner key is not open" }

// errPrimaryChanged is the error of a transaction whose owner key was wrapped by a root key that is
// not the primary any more.
var errPrimaryChanged = errors.New("the primary root key has changed")

// maxTries bounds how often a transaction is begun again. Each owner key that is not open costs
// one, and none needs more than two: before and after a rotation.
const maxTries = 4

// withKeys runs do, which makes one transaction, and runs it again after opening the owner key that
// it lacked.
func (s *Service) withKeys(ctx context.Context, do func() error) (err error) {
	for range maxTries {
		err = do()
		closed, ok := errors.AsType[*closedKey](err)
		if !ok {
			return err
		}
		if _, err = s.openOwnerKey(ctx, closed.stored); err != nil {
			return err
		}
	}
	return err
}

// withNewKey gives do a new owner key for a user, wrapped and ready to be stored, and another one
// if the primary root key changed meanwhile: do's transaction must call stillPrimary. What do has
// stored is open from then on.
func (s *Service) withNewKey(
	ctx context.Context,
	user uuid.UUID,
	do func(StoredOwnerKey, seal.OwnerKey) error,
) error {
	for range maxTries {
		stored, key, err := s.wrapped(ctx, user)
		if err != nil {
			return err
		}
		if err = do(stored, key); err == nil {
			s.keys.open.Add(ownerKeyRef{user, stored.ID}, key)
		}
		if !errors.Is(err, errPrimaryChanged) {
			return err
		}
	}
	return &Error{
		Kind:   Unavailable,
		Detail: "The root key is changing: try again later",
		Cause:  errPrimaryChanged,
	}
}

// openOwnerKey unwraps an owner key and keeps it open.
func (s *Service) openOwnerKey(ctx context.Context, stored StoredOwnerKey) (seal.OwnerKey, error) {
	return together(
		ctx,
		&s.keys.flights,
		stored.ID.String(),
		func(ctx context.Context) (seal.OwnerKey, error) {
			root, err := s.rootKey(ctx, stored.RootKey)
			if err != nil {
				return seal.OwnerKey{}, err
			}
			key, err := root.Unwrap(ctx, stored.User, stored.ID, stored.Wrapped)
			if errors.Is(err, seal.ErrService) || errors.Is(err, seal.ErrServiceTimeout) {
				return seal.OwnerKey{}, serviceError(err)
			}
			if err != nil {
				return seal.OwnerKey{}, tampered(
					"owner key "+stored.ID.String()+" of user "+stored.User.String(),
					err,
				)
			}
			s.keys.open.Add(ownerKeyRef{stored.User, stored.ID}, key)
			return key, nil
		},
	)
}

// maxFlight is how long what several callers wait for together may take: longer than any of them
// waits.
const maxFlight = time.Minute

// together does once what several callers want at the same time. A caller that goes away takes
// nothing from the others.
func together[T any](
	ctx context.Context,
	flights *singleflight.Group,
	name string,
	do func(context.Context) (T, error),
) (T, error) {
	answer := flights.DoChan(name, func() (_ any, err error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), maxFlight)
		defer cancel()
		defer func() {
			if recover() != nil { // it would end the process, and what it says may quote a key
				err = errors.New("opening a key panicked")
			}
		}()
		return do(ctx)
	})
	select {
	case a := <-answer:
		found, _ := a.Val.(T)
		return found, a.Err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// get returns a user's owner key if it is open, else a [*closedKey].
func (k *keyring) get(ctx context.Context, r Reader, user, id uuid.UUID) (seal.OwnerKey, error) {
	if key, found := k.open.Get(ownerKeyRef{user, id}); found {
		return key, nil
	}
	stored, err := r.OwnerKey(ctx, user, id)
	if errors.Is(err, ErrNotFound) {
		return seal.OwnerKey{}, tampered(
			"owner key "+id.String()+" of user "+user.String(),
			errors.New("there is no such key"),
		)
	}
	if err != nil {
		return seal.OwnerKey{}, err
	}
	return seal.OwnerKey{}, &closedKey{stored}
}

// sealedBy returns the owner key that made a blob.
func (k *keyring) sealedBy(
	ctx context.Context,
	r Reader,
	user uuid.UUID,
	blob []byte,
) (seal.OwnerKey, error) {
	id, err := seal.KeyID(blob)
	if err != nil {
		return seal.OwnerKey{}, tampered("sealed data of user "+user.String(), err)
	}
	return k.get(ctx, r, user, id)
}

// openValue opens a sealed value. Its error has [ErrTampered] if it is not the one that was sealed
// for that place.
func (k *keyring) openValue(
	ctx context.Context,
	r Reader,
	at seal.Binding,
	blob []byte,
) (plaintext.Value, error) {
	key, err := k.sealedBy(ctx, r, at.Owner, blob)
	if err != nil {
		return plaintext.Value{}, err
	}
	value, err := key.OpenValue(at, blob)
	if err != nil {
		return plaintext.Value{}, tampered("value of secret "+at.Subject.String(), err)
	}
	return value, nil
}

// openMask opens a sealed mask, with the errors of openValue.
func (k *keyring) openMask(
	ctx context.Context,
	r Reader,
	at seal.Binding,
	blob []byte,
) (string, error) {
	key, err := k.sealedBy(ctx, r, at.Owner, blob)
	if err != nil {
		return "", err
	}
	mask, err := key.OpenMask(at, blob)
	if err != nil {
		return "", tampered("mask of secret "+at.Subject.String(), err)
	}
	return mask, nil
}

// forget drops a destroyed key.
func (k *keyring) forget(user, id uuid.UUID) { k.open.Remove(ownerKeyRef{user, id}) }

// wrapped returns a new owner key, and how the primary root key wraps it.
func (s *Service) wrapped(
	ctx context.Context,
	user uuid.UUID,
) (StoredOwnerKey, seal.OwnerKey, error) {
	id, err := newID()
	if err != nil {
		return StoredOwnerKey{}, seal.OwnerKey{}, err
	}
	primary, err := s.primary(ctx)
	if err != nil {
		return StoredOwnerKey{}, seal.OwnerKey{}, err
	}
	root, err := s.rootKey(ctx, primary.ID)
	if err != nil {
		return StoredOwnerKey{}, seal.OwnerKey{}, err
	}
	key := seal.NewOwnerKey(id)
	stored := StoredOwnerKey{ID: id, User: user, CreatedAt: s.time()}
	return stored, key, wrap(ctx, root, key, &stored)
}

// wrap fills in how root wraps a key, when that has been opened again: what a service cannot undo
// would be lost.
func wrap(ctx context.Context, root seal.RootKey, key seal.OwnerKey, stored *StoredOwnerKey) error {
	blob, err := root.Wrap(ctx, stored.User, key)
	if err != nil {
		return ownerKeyError(stored, err)
	}
	again, err := root.Unwrap(ctx, stored.User, stored.ID, blob)
	if err == nil && !again.Equal(key) {
		err = seal.ErrTampered
	}
	if err != nil && root.Remote() && !errors.Is(err, seal.ErrServiceTimeout) {
		err = fmt.Errorf("%w: it does not open what it sealed: %w", seal.ErrService, err)
	}
	if err != nil {
		return ownerKeyError(stored, err)
	}
	stored.RootKey, stored.Wrapped = root.ID(), blob
	return nil
}

// stillPrimary makes sure that the root key by which something was wrapped outside the transaction
// is the primary inside it.
func stillPrimary(ctx context.Context, tx Tx, rootKey uuid.UUID) error {
	primary, err := tx.PrimaryRootKey(ctx)
	if err == nil && primary.ID != rootKey {
		return errPrimaryChanged
	}
	return err
}

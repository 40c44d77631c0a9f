package seal

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// A RootKey wraps owner keys. It is safe for concurrent use and prints nothing of itself.
//
// A key that is kept by a service elsewhere asks that service, within a deadline of its own; its
// errors are [ErrService] and [ErrServiceTimeout].
type RootKey interface {
	// ID returns the key's id, which every blob it makes carries.
	ID() uuid.UUID
	// Remote tells whether the key is kept by a service elsewhere: nothing that others wait for may
	// be held while it is asked.
	Remote() bool
	// Wrap seals an owner key for its owner.
	Wrap(ctx context.Context, owner uuid.UUID, k OwnerKey) ([]byte, error)
	// Unwrap returns the owner key that Wrap sealed under the same owner and id.
	Unwrap(ctx context.Context, owner, id uuid.UUID, blob []byte) (OwnerKey, error)
	// Check returns a new check value: a blob that only this key opens, kept in the database and
	// opened at every start.
	Check(ctx context.Context) ([]byte, error)
	// OpenCheck opens a check value. Its error is [ErrOtherKey] where the check was made by another
	// key.
	OpenCheck(ctx context.Context, blob []byte) error
}

// localRootKey has its bits in memory.
type localRootKey struct{ key key }

// ErrKeySize means that a root key is too short or too long.
var ErrKeySize = fmt.Errorf("a root key must have exactly %d bytes", KeySize)

// NewRootKey returns the root key of these bits and takes ownership of them.
// [ErrKeySize]: they are not [KeySize] bytes.
func NewRootKey(bits []byte) (RootKey, error) {
	if len(bits) != KeySize {
		return nil, ErrKeySize
	}
	id, err := rootKeyID(bits)
	if err != nil {
		return nil, err
	}
	return localRootKey{newKey(id, bits)}, nil
}

func (r localRootKey) ID() uuid.UUID { return r.key.id }

func (r localRootKey) Remote() bool { return false }

func (r localRootKey) Wrap(_ context.Context, owner uuid.UUID, k OwnerKey) ([]byte, error) {
	return r.key.seal(purposeOwnerKey, Binding{Owner: owner, Subject: k.ID()}, k.key.bits())
}

func (r localRootKey) Unwrap(
	_ context.Context,
	owner, id uuid.UUID,
	blob []byte,
) (OwnerKey, error) {
	bits, err := r.key.open(purposeOwnerKey, Binding{Owner: owner, Subject: id}, blob)
	if err != nil {
		return OwnerKey{}, err
	}
	return ownerKeyOf(id, bits)
}

func (r localRootKey) Check(context.Context) ([]byte, error) {
	return r.key.seal(purposeCheck, Binding{Subject: r.ID()}, nil)
}

func (r localRootKey) OpenCheck(_ context.Context, blob []byte) error {
	_, err := r.key.open(purposeCheck, Binding{Subject: r.ID()}, blob)
	return err
}

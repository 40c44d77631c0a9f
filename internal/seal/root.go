package seal

import (
	"context"
	"fmt"

	"github.com/google/uuid"
)

// A RootKey wraps owner keys. It is safe for concurrent use, and cannot be printed.
//
// A key service may keep the key. Each use of such a key is then a request with its own time limit.
// [ErrService], [ErrServiceTimeout].
type RootKey interface {
	// ID returns the id of the key, which is in every blob that it makes.
	ID() uuid.UUID
	// Remote reports whether a key service keeps the key. Then no lock that others wait for may be
	// held during a use of the key.
	Remote() bool
	// Wrap seals an owner key.
	Wrap(ctx context.Context, owner uuid.UUID, k OwnerKey) ([]byte, error)
	// Unwrap opens an owner key that was sealed for the same owner and id.
	Unwrap(ctx context.Context, owner, id uuid.UUID, blob []byte) (OwnerKey, error)
	// WrapInstance seals an instance key.
	WrapInstance(ctx context.Context, k InstanceKey) ([]byte, error)
	// UnwrapInstance opens an instance key. [ErrOtherKey]: it has another id.
	UnwrapInstance(ctx context.Context, id uuid.UUID, blob []byte) (InstanceKey, error)
	// Check returns a new check value: a blob that only this key opens. The database keeps it, and
	// every start opens it.
	Check(ctx context.Context) ([]byte, error)
	// OpenCheck opens a check value. [ErrOtherKey]: it belongs to another key.
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
	_ context.Context, owner, id uuid.UUID, blob []byte,
) (OwnerKey, error) {
	bits, err := r.key.open(purposeOwnerKey, Binding{Owner: owner, Subject: id}, blob)
	if err != nil {
		return OwnerKey{}, err
	}
	return ownerKeyOf(id, bits)
}

func (r localRootKey) WrapInstance(_ context.Context, k InstanceKey) ([]byte, error) {
	return r.key.seal(purposeInstanceKey, Binding{Subject: k.ID()}, k.key.bits())
}

func (r localRootKey) UnwrapInstance(
	_ context.Context, id uuid.UUID, blob []byte,
) (InstanceKey, error) {
	bits, err := r.key.open(purposeInstanceKey, Binding{Subject: id}, blob)
	if err != nil {
		return InstanceKey{}, err
	}
	return unwrappedInstanceKey(id, bits)
}

func (r localRootKey) Check(context.Context) ([]byte, error) {
	return r.key.seal(purposeCheck, Binding{Subject: r.ID()}, nil)
}

func (r localRootKey) OpenCheck(_ context.Context, blob []byte) error {
	_, err := r.key.open(purposeCheck, Binding{Subject: r.ID()}, blob)
	return err
}

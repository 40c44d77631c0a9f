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
	// Unwrap opens an owner key that was sealed for the same owner and id. [ErrOtherKey]: it has
	// another id, or another root key sealed it.
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

// A wrapping says what a blob of a root key belongs to.
type wrapping struct {
	owner   uuid.UUID // the user; nil where it is nobody's
	subject uuid.UUID // the id of the key that is wrapped or, in a check value, that wraps
}

// associated returns the associated data of a blob of a root key. Every part has a fixed size, or
// has its length before it.
func (w wrapping) associated(format byte, purpose string, keyID uuid.UUID) []byte {
	data := make([]byte, 0, headerSize+1+len(purpose)+2*idSize)
	data = appendPurpose(data, format, keyID, purpose)
	data = append(data, w.owner[:]...)
	return append(data, w.subject[:]...)
}

// seal returns a new blob of format 1. Each has its own salt and so its own AES key: however many a
// root key makes, no two share a key and a nonce.
func (r localRootKey) seal(purpose string, to wrapping, plain []byte) ([]byte, error) {
	salt := randomBytes(saltSize)
	aead, err := newAEAD(r.key.bits(), salt, "keysake v1 "+purpose)
	if err != nil {
		return nil, err
	}
	blob := header(formatV1, r.ID(), saltSize+nonceSize+len(plain)+tagSize)
	data := to.associated(formatV1, purpose, r.ID())
	//nolint:gosec // the AEAD makes a random nonce
	return aead.Seal(append(blob, salt...), nil, plain, data), nil
}

// open returns what the blob seals. [ErrFormat], [ErrOtherKey], [ErrTampered].
func (r localRootKey) open(purpose string, to wrapping, blob []byte) ([]byte, error) {
	sealed, err := body(blob, formatV1, r.ID())
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(r.key.bits(), sealed[:saltSize], "keysake v1 "+purpose)
	if err != nil {
		return nil, err
	}
	data := to.associated(formatV1, purpose, r.ID())
	plain, err := aead.Open(nil, nil, sealed[saltSize:], data)
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}

func (r localRootKey) Wrap(_ context.Context, owner uuid.UUID, k OwnerKey) ([]byte, error) {
	return r.seal(purposeOwnerKey, wrapping{owner, k.ID()}, k.key.bits())
}

func (r localRootKey) Unwrap(
	_ context.Context, owner, id uuid.UUID, blob []byte,
) (OwnerKey, error) {
	bits, err := r.open(purposeOwnerKey, wrapping{owner, id}, blob)
	if err != nil {
		return OwnerKey{}, err
	}
	return unwrappedOwnerKey(id, bits)
}

func (r localRootKey) WrapInstance(_ context.Context, k InstanceKey) ([]byte, error) {
	return r.seal(purposeInstanceKey, wrapping{subject: k.ID()}, k.key.bits())
}

func (r localRootKey) UnwrapInstance(
	_ context.Context, id uuid.UUID, blob []byte,
) (InstanceKey, error) {
	bits, err := r.open(purposeInstanceKey, wrapping{subject: id}, blob)
	if err != nil {
		return InstanceKey{}, err
	}
	return unwrappedInstanceKey(id, bits)
}

func (r localRootKey) Check(context.Context) ([]byte, error) {
	return r.seal(purposeCheck, wrapping{subject: r.ID()}, nil)
}

func (r localRootKey) OpenCheck(_ context.Context, blob []byte) error {
	_, err := r.open(purposeCheck, wrapping{subject: r.ID()}, blob)
	return err
}

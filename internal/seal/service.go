package seal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// The errors of a key service.
var (
	// ErrService means that the service refused, does not know the key, or sent a bad answer.
	ErrService = errors.New("the key service answered badly")
	// ErrServiceTimeout means that the service did not answer in time.
	ErrServiceTimeout = errors.New("the key service did not answer in time")
)

// A Service encrypts and decrypts with a key that never leaves it.
// [ErrService], [ErrServiceTimeout].
type Service interface {
	Encrypt(ctx context.Context, plain []byte) ([]byte, error)
	Decrypt(ctx context.Context, sealed []byte) ([]byte, error)
}

// serviceRootKey is a root key that a service keeps. Not all services have associated data: its
// digest is encrypted together with the plaintext, and compared after decryption.
type serviceRootKey struct {
	id      uuid.UUID
	service Service
}

// NewServiceRootKey returns the root key that a service keeps.
func NewServiceRootKey(id uuid.UUID, s Service) RootKey { return serviceRootKey{id, s} }

func (r serviceRootKey) ID() uuid.UUID { return r.id }

func (r serviceRootKey) Remote() bool { return true }

func (r serviceRootKey) seal(
	ctx context.Context, purpose string, to wrapping, plain []byte,
) ([]byte, error) {
	bound := append(r.digest(purpose, to), plain...)
	sealed, err := r.service.Encrypt(ctx, bound)
	if err != nil {
		return nil, err
	}
	if bytes.Contains(sealed, bound) {
		return nil, fmt.Errorf("%w: it does not encrypt", ErrService)
	}
	return append(header(formatV2, r.id, len(sealed)), sealed...), nil
}

// open returns what the blob seals. [ErrFormat], [ErrOtherKey], [ErrTampered], and the errors of
// the service. [ErrService] also if the plaintext has another size.
func (r serviceRootKey) open(
	ctx context.Context, purpose string, to wrapping, blob []byte, size int,
) ([]byte, error) {
	sealed, err := body(blob, formatV2, r.id)
	if err != nil {
		return nil, err
	}
	opened, err := r.service.Decrypt(ctx, sealed)
	if err != nil {
		return nil, err
	}
	if len(opened) != sha256.Size+size {
		return nil, fmt.Errorf("%w: it decrypted something that was never sealed", ErrService)
	}
	if subtle.ConstantTimeCompare(opened[:sha256.Size], r.digest(purpose, to)) != 1 {
		return nil, ErrTampered
	}
	return opened[sha256.Size:], nil
}

// digest is SHA-256 of the associated data.
func (r serviceRootKey) digest(purpose string, to wrapping) []byte {
	sum := sha256.Sum256(to.associated(formatV2, purpose, r.id))
	return sum[:]
}

func (r serviceRootKey) Wrap(ctx context.Context, owner uuid.UUID, k OwnerKey) ([]byte, error) {
	return r.seal(ctx, purposeOwnerKey, wrapping{owner, k.ID()}, k.key.bits())
}

func (r serviceRootKey) Unwrap(
	ctx context.Context, owner, id uuid.UUID, blob []byte,
) (OwnerKey, error) {
	bits, err := r.open(ctx, purposeOwnerKey, wrapping{owner, id}, blob, KeySize)
	if err != nil {
		return OwnerKey{}, err
	}
	return unwrappedOwnerKey(id, bits)
}

func (r serviceRootKey) WrapInstance(ctx context.Context, k InstanceKey) ([]byte, error) {
	return r.seal(ctx, purposeInstanceKey, wrapping{subject: k.ID()}, k.key.bits())
}

func (r serviceRootKey) UnwrapInstance(
	ctx context.Context, id uuid.UUID, blob []byte,
) (InstanceKey, error) {
	bits, err := r.open(ctx, purposeInstanceKey, wrapping{subject: id}, blob, KeySize)
	if err != nil {
		return InstanceKey{}, err
	}
	return unwrappedInstanceKey(id, bits)
}

func (r serviceRootKey) Check(ctx context.Context) ([]byte, error) {
	return r.seal(ctx, purposeCheck, wrapping{subject: r.id}, nil)
}

func (r serviceRootKey) OpenCheck(ctx context.Context, blob []byte) error {
	_, err := r.open(ctx, purposeCheck, wrapping{subject: r.id}, blob, 0)
	return err
}

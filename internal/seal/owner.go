package seal

import (
	"crypto/subtle"

	"github.com/google/uuid"

	"github.com/keysake/keysake/plaintext"
)

// An OwnerKey seals the values and masks of one user. It is safe for concurrent use, and cannot be
// printed.
type OwnerKey struct{ key key }

// NewOwnerKey returns a new random key with this id.
func NewOwnerKey(id uuid.UUID) OwnerKey { return OwnerKey{newKey(id, randomBytes(KeySize))} }

// ownerKeyOf returns the owner key of unwrapped bits.
func ownerKeyOf(id uuid.UUID, bits []byte) (OwnerKey, error) {
	if len(bits) != KeySize {
		return OwnerKey{}, ErrFormat
	}
	return OwnerKey{newKey(id, bits)}, nil
}

// Equal compares two keys in constant time.
func (k OwnerKey) Equal(other OwnerKey) bool {
	return k.ID() == other.ID() && subtle.ConstantTimeCompare(k.key.bits(), other.key.bits()) == 1
}

// ID returns the id of the key, which is in every blob that it makes.
func (k OwnerKey) ID() uuid.UUID { return k.key.id }

// SealValue seals the value of a version.
func (k OwnerKey) SealValue(to Binding, v plaintext.Value) ([]byte, error) {
	return k.key.seal(purposeValue, to, v.Reveal())
}

// OpenValue opens a value that was sealed with the same binding.
func (k OwnerKey) OpenValue(to Binding, blob []byte) (plaintext.Value, error) {
	b, err := k.key.open(purposeValue, to, blob)
	if err != nil {
		return plaintext.Value{}, err
	}
	return plaintext.Own(b), nil
}

// SealMask seals the mask of a version, so that a stolen database shows no character of any value.
func (k OwnerKey) SealMask(to Binding, mask string) ([]byte, error) {
	return k.key.seal(purposeMask, to, []byte(mask))
}

// OpenMask opens a mask that was sealed with the same binding.
func (k OwnerKey) OpenMask(to Binding, blob []byte) (string, error) {
	b, err := k.key.open(purposeMask, to, blob)
	return string(b), err
}

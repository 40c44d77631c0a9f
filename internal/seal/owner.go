package seal

import (
	"crypto/cipher"
	"crypto/subtle"
	"sync"

	"github.com/google/uuid"

	"github.com/keysake/keysake/plaintext"
)

// An OwnerKey seals the values and masks of one user. Its id follows from its bits, so that who
// names the id names the key. It is safe for concurrent use, and cannot be printed.
type OwnerKey struct {
	key         key
	value, mask func() cipher.AEAD // made once: it takes longer than to open a mask
}

// NewOwnerKey returns a new random key.
func NewOwnerKey() (OwnerKey, error) { return ownerKeyOf(randomBytes(KeySize)) }

// ownerKeyOf returns the owner key of these bits, of which it takes ownership.
func ownerKeyOf(bits []byte) (OwnerKey, error) {
	if len(bits) != KeySize {
		return OwnerKey{}, ErrFormat
	}
	id, err := idOf("owner-key-id", bits)
	if err != nil {
		return OwnerKey{}, err
	}
	value, err := newAEAD(bits, nil, "keysake v3 "+purposeValue)
	if err != nil {
		return OwnerKey{}, err
	}
	mask, err := newAEAD(bits, nil, "keysake v3 "+purposeMask)
	if err != nil {
		return OwnerKey{}, err
	}
	return OwnerKey{
		key:   newKey(id, bits),
		value: func() cipher.AEAD { return value },
		mask:  func() cipher.AEAD { return mask },
	}, nil
}

// unwrappedOwnerKey returns the key that was asked for by its id. [ErrOtherKey]: it is another.
func unwrappedOwnerKey(id uuid.UUID, bits []byte) (OwnerKey, error) {
	k, err := ownerKeyOf(bits)
	if err == nil && k.ID() != id {
		err = ErrOtherKey
	}
	if err != nil {
		return OwnerKey{}, err
	}
	return k, nil
}

// Equal compares two keys in constant time.
func (k OwnerKey) Equal(other OwnerKey) bool {
	return subtle.ConstantTimeCompare(k.key.bits(), other.key.bits()) == 1
}

// ID returns the id of the key, which is in every blob that it makes.
func (k OwnerKey) ID() uuid.UUID { return k.key.id }

// SealValue seals the value of a version.
func (k OwnerKey) SealValue(to Binding, v plaintext.Value) []byte {
	s := newScratch()
	defer s.free()
	return k.seal(k.value(), s.associated(to, purposeValue, k.ID()), v.Reveal())
}

// OpenValue opens a value that was sealed with the same binding.
func (k OwnerKey) OpenValue(to Binding, blob []byte) (plaintext.Value, error) {
	s := newScratch()
	defer s.free()
	b, err := k.open(nil, k.value(), s.associated(to, purposeValue, k.ID()), blob)
	if err != nil {
		return plaintext.Value{}, err
	}
	return plaintext.Own(b), nil
}

// SealMask seals the mask of a version, so that a stolen database shows no character of any value.
func (k OwnerKey) SealMask(to Binding, mask string) []byte {
	s := newScratch()
	defer s.free()
	plain := append(s.mask[:0], mask...)
	return k.seal(k.mask(), s.associated(to, purposeMask, k.ID()), plain)
}

// OpenMask opens a mask that was sealed with the same binding, which is then authentic as well.
func (k OwnerKey) OpenMask(to Binding, blob []byte) (string, error) {
	s := newScratch()
	defer s.free()
	b, err := k.open(s.mask[:0], k.mask(), s.associated(to, purposeMask, k.ID()), blob)
	return string(b), err
}

// seal returns a new blob of format 3. NIST allows 2³² random nonces for one key (SP 800-38D,
// section 8.3); the user's ledger counts them, and ends long before.
func (k OwnerKey) seal(aead cipher.AEAD, data, plain []byte) []byte {
	blob := header(formatV3, k.ID(), nonceSize+len(plain)+tagSize)
	return aead.Seal(blob, nil, plain, data) //nolint:gosec // the AEAD makes a random nonce
}

// open appends what the blob seals. [ErrFormat], [ErrOtherKey], [ErrTampered].
func (k OwnerKey) open(to []byte, aead cipher.AEAD, data, blob []byte) ([]byte, error) {
	sealed, err := body(blob, formatV3, k.ID())
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(to, nil, sealed, data)
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}

// A scratch is memory for one call, which others use after it. No value is ever in it.
type scratch struct {
	data [256]byte // what is associated; longer data has memory of its own
	mask [64]byte
}

var scratches = sync.Pool{ //nolint:gochecknoglobals // calls of all keys share it
	New: func() any { return new(scratch) },
}

func newScratch() *scratch {
	s, _ := scratches.Get().(*scratch)
	return s
}

func (s *scratch) free() { scratches.Put(s) }

func (s *scratch) associated(to Binding, purpose string, keyID uuid.UUID) []byte {
	return to.appendAssociated(s.data[:0], purpose, keyID)
}

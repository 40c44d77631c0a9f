// Package seal encrypts what Keysake stores: a root key wraps owner keys, and an owner key seals
// the values and masks of one user.
//
// The result is a blob. format.md specifies its bytes, and testdata has test vectors. A blob names
// its format and its key. Its purpose and its [Binding] are associated data, so that a blob that
// was moved to another row, column, version or user does not open.
//
// The cryptography is that of the standard library, inside Go's FIPS 140-3 module: AES-256-GCM
// (NIST SP 800-38D) with keys derived by HKDF-SHA-256 (RFC 5869). The package does no I/O.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Sizes in bytes; see format.md.
const (
	KeySize    = 32 // AES-256
	formatV1   = 1
	idSize     = 16
	saltSize   = 16
	headerSize = 1 + idSize + saltSize // format, key id, salt
	nonceSize  = 12
	tagSize    = 16
	// Overhead is the length of a blob without what it seals.
	Overhead = headerSize + nonceSize + tagSize
)

// The purposes of blobs. Keys are derived from the purpose, so that no two purposes share one.
const (
	purposeCheck       = "root-key-check"
	purposeOwnerKey    = "owner-key"
	purposeInstanceKey = "instance-key"
	purposeValue       = "value"
	purposeMask        = "mask"
)

// The errors of blobs. They show nothing of the contents.
var (
	// ErrTampered means that the blob was changed, or has another purpose or binding.
	ErrTampered = errors.New(
		"seal: the sealed data does not open: it was changed or moved, or its key is wrong")
	// ErrFormat means that the blob is too short, or has an unknown format.
	ErrFormat = errors.New("seal: the sealed data has an unknown format")
	// ErrOtherKey means that the blob was made with another key.
	ErrOtherKey = errors.New("seal: the sealed data was made with another key")
)

// A Binding says what a blob belongs to. The blob does not hold it: to open one, it must be known.
type Binding struct {
	Owner   uuid.UUID // the user
	Subject uuid.UUID // the secret or, of a wrapped owner key, its id
	Version uint64    // of the secret, from 1; otherwise 0
}

// key is 256 bits with an id. The bits are behind a function, so that they cannot be printed.
type key struct {
	id   uuid.UUID
	bits func() []byte
}

func newKey(id uuid.UUID, bits []byte) key {
	return key{id: id, bits: func() []byte { return bits }}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand ends the program rather than fail
	return b
}

// seal returns a new blob. Each blob has its own salt and so its own AES key, which makes the limit
// of 2³² random nonces for one key (NIST SP 800-38D, section 8.3) irrelevant.
func (k key) seal(purpose string, to Binding, plain []byte) ([]byte, error) {
	blob := make([]byte, headerSize, Overhead+len(plain))
	blob[0] = formatV1
	copy(blob[1:], k.id[:])
	copy(blob[1+idSize:], randomBytes(saltSize))
	aead, err := k.aead(purpose, blob[1+idSize:headerSize])
	if err != nil {
		return nil, err
	}
	data := associated(formatV1, purpose, k.id, to)
	return aead.Seal(blob, nil, plain, data), nil //nolint:gosec // the AEAD makes a random nonce
}

// open returns what the blob seals. [ErrFormat], [ErrOtherKey], [ErrTampered].
func (k key) open(purpose string, to Binding, blob []byte) ([]byte, error) {
	id, err := KeyID(blob)
	if err != nil {
		return nil, err
	}
	if blob[0] != formatV1 {
		return nil, ErrFormat
	}
	if id != k.id {
		return nil, ErrOtherKey
	}
	aead, err := k.aead(purpose, blob[1+idSize:headerSize])
	if err != nil {
		return nil, err
	}
	plain, err := aead.Open(nil, nil, blob[headerSize:], associated(formatV1, purpose, k.id, to))
	if err != nil {
		return nil, ErrTampered
	}
	return plain, nil
}

// aead derives the AES key of a blob. The AEAD makes the nonces, inside the FIPS module, and puts
// them before the ciphertext.
func (k key) aead(purpose string, salt []byte) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, k.bits(), salt, "keysake v1 "+purpose, KeySize)
	if err != nil {
		return nil, fmt.Errorf("seal: derive key: %w", err)
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return aead, nil
}

// associated returns the associated data. Every part has a fixed size, except the purpose, which
// has its length before it.
func associated(format byte, purpose string, keyID uuid.UUID, to Binding) []byte {
	b := make([]byte, 0, 1+idSize+1+len(purpose)+2*idSize+8)
	b = append(b, format)
	b = append(b, keyID[:]...)
	b = append(b, byte(len(purpose))) //nolint:gosec // the purposes are four short constants
	b = append(b, purpose...)
	b = append(b, to.Owner[:]...)
	b = append(b, to.Subject[:]...)
	return binary.BigEndian.AppendUint64(b, to.Version)
}

// KeyID returns the id of the key that made a blob, without opening it. [ErrFormat].
func KeyID(blob []byte) (uuid.UUID, error) {
	if len(blob) < 1+idSize || blob[0] == formatV1 && len(blob) < Overhead ||
		blob[0] != formatV1 && blob[0] != formatV2 {
		return uuid.Nil, ErrFormat
	}
	return uuid.UUID(blob[1 : 1+idSize]), nil
}

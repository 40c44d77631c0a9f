// Package seal encrypts what Keysake stores: a root key wraps owner keys, and an owner key seals
// the values and masks of one user.
//
// The result is a blob. format.md specifies its bytes, and testdata has test vectors. A blob names
// its format and its key. Its purpose and what it belongs to are associated data, so that a blob
// that was moved to another row, column, version or user does not open.
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
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Sizes in bytes; see format.md.
const (
	KeySize    = 32 // AES-256
	idSize     = 16
	headerSize = 1 + idSize // format, key id
	saltSize   = 16
	nonceSize  = 12
	tagSize    = 16
	// Overhead is the length of a blob of an owner key without what it seals.
	Overhead = headerSize + nonceSize + tagSize
)

// The formats of blobs.
const (
	formatV1 = 1 // of a root key in memory: header, salt, nonce, ciphertext, tag
	formatV2 = 2 // of a key service: header, and what the service encrypted
	formatV3 = 3 // of an owner key: header, nonce, ciphertext, tag
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
	// ErrOtherKey means that the blob was made with another key, or holds another key than the one
	// that was asked for.
	ErrOtherKey = errors.New("seal: the sealed data was made with another key")
)

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

// newAEAD returns AES-256-GCM with a derived key. The AEAD makes the nonces, inside the FIPS
// module, and puts them before the ciphertext.
func newAEAD(bits, salt []byte, info string) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, bits, salt, info, KeySize)
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

// header returns the first bytes of a blob, with room for more.
func header(format byte, keyID uuid.UUID, room int) []byte {
	return append(append(make([]byte, 0, headerSize+room), format), keyID[:]...)
}

// body returns what follows the header of a blob, if the header is that of this format and key.
// [ErrFormat], [ErrOtherKey].
func body(blob []byte, format byte, keyID uuid.UUID) ([]byte, error) {
	id, err := KeyID(blob)
	if err != nil {
		return nil, err
	}
	if blob[0] != format {
		return nil, ErrFormat
	}
	if id != keyID {
		return nil, ErrOtherKey
	}
	return blob[headerSize:], nil
}

// KeyID returns the id of the key that made a blob, without opening it. [ErrFormat].
func KeyID(blob []byte) (uuid.UUID, error) {
	if len(blob) < headerSize {
		return uuid.Nil, ErrFormat
	}
	least := headerSize
	switch blob[0] {
	case formatV1:
		least = saltSize + Overhead
	case formatV2:
	case formatV3:
		least = Overhead
	default:
		return uuid.Nil, ErrFormat
	}
	if len(blob) < least {
		return uuid.Nil, ErrFormat
	}
	return uuid.UUID(blob[1:headerSize]), nil
}

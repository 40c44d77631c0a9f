// Package seal encrypts what Keysake keeps: a root key wraps owner keys, an owner key seals the
// values and masks of one user.
//
// Every sealed thing is one blob whose bytes are specified in format.md, beside this file, with
// test vectors in testdata. The blob names its format and the key that made it, and is bound to its
// place: the purpose, the owner, the subject and the version are associated data, so that a blob
// moved to another row, column, version or user does not open.
//
// Only the standard library's cryptography is used: AES-256-GCM (NIST SP 800-38D) under keys
// derived with HKDF-SHA-256 (RFC 5869), both inside Go's FIPS 140-3 module. The package imports
// none of ours but the plaintext leaf, and does no I/O but for the root key's file.
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
	KeySize  = 32 // AES-256
	formatV1 = 1
	idSize   = 16
	saltSize = 16
	// headerSize is what stands before the nonce: format, key id, salt.
	headerSize = 1 + idSize + saltSize
	nonceSize  = 12
	tagSize    = 16
	// Overhead is by how much a blob is longer than what it seals.
	Overhead = headerSize + nonceSize + tagSize
)

// The purposes of blobs. Each has keys of its own, because the purpose goes into the derivation.
const (
	purposeCheck    = "root-key-check"
	purposeOwnerKey = "owner-key"
	purposeValue    = "value"
	purposeMask     = "mask"
)

// What can be wrong with a blob. None of the messages has anything of its contents.
var (
	// ErrTampered: the blob was changed, or stands in a place that it was not sealed for.
	ErrTampered = errors.New(
		"seal: the sealed data does not open: it was changed or moved, or its key is wrong",
	)
	// ErrFormat: the blob is too short, or of a format that this version does not know.
	ErrFormat = errors.New("seal: the sealed data has an unknown format")
	// ErrOtherKey: the blob names another key than the one it is to be opened with.
	ErrOtherKey = errors.New("seal: the sealed data was made with another key")
)

// A Binding says what a blob belongs to. The blob does not hold it: to open one, it must be known.
type Binding struct {
	Owner   uuid.UUID // the user
	Subject uuid.UUID // the secret or, of a wrapped owner key, its id
	Version uint64    // of the secret, from 1; otherwise 0
}

// key is 256 bits with an id. The bits sit behind a function so that no printing reaches them.
type key struct {
	id   uuid.UUID
	bits func() []byte
}

func newKey(id uuid.UUID, bits []byte) key {
	return key{id: id, bits: func() []byte { return bits }}
}

// randomBytes never fails: crypto/rand ends the program rather than return weak bytes.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// seal returns a new blob. Each has its own salt and so its own AES key, and a random nonce: no key
// ever sees enough nonces for the limit of 2³² (NIST SP 800-38D, section 8.3) to matter.
func (k key) seal(purpose string, to Binding, plain []byte) ([]byte, error) {
	blob := make([]byte, headerSize, Overhead+len(plain))
	blob[0] = formatV1
	copy(blob[1:], k.id[:])
	copy(blob[1+idSize:], randomBytes(saltSize))
	aead, err := k.aead(purpose, blob[1+idSize:headerSize])
	if err != nil {
		return nil, err
	}
	return aead.Seal(
		blob,
		nil,
		plain,
		associated(formatV1, purpose, k.id, to),
	), nil //nolint:gosec // no nonce is given: the AEAD draws one at random
}

// open returns what the blob seals: [ErrFormat], [ErrOtherKey] or [ErrTampered] if it is not a blob
// of this key, purpose and place.
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

// aead derives the blob's own AES key. Its nonce is chosen inside the FIPS module and stands before
// the ciphertext.
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

// associated returns the associated data: the format, then every part has a fixed size but the
// purpose, whose length stands before it.
func associated(format byte, purpose string, keyID uuid.UUID, to Binding) []byte {
	b := make([]byte, 0, 1+idSize+1+len(purpose)+2*idSize+8)
	b = append(b, format)
	b = append(b, keyID[:]...)
	b = append(b, byte(len(purpose))) //nolint:gosec // the purposes are the four constants above
	b = append(b, purpose...)
	b = append(b, to.Owner[:]...)
	b = append(b, to.Subject[:]...)
	return binary.BigEndian.AppendUint64(b, to.Version)
}

// KeyID returns the id of the key that a blob names, without opening it; [ErrFormat] if it is no
// blob of a known format.
func KeyID(blob []byte) (uuid.UUID, error) {
	if len(blob) < 1+idSize || blob[0] == formatV1 && len(blob) < Overhead ||
		blob[0] != formatV1 && blob[0] != formatV2 {
		return uuid.Nil, ErrFormat
	}
	return uuid.UUID(blob[1 : 1+idSize]), nil
}

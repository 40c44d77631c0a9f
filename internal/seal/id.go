package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
)

// rootKeyID derives the id of a root key from its bits, so that a key file needs nothing else. The
// id is public: 122 bits of HKDF output tell nothing about the key.
func rootKeyID(bits []byte) (uuid.UUID, error) { return idOf("root-key-id", bits) }

// idOf derives the id of a key from its bits, for a kind of key.
func idOf(label string, bits []byte) (uuid.UUID, error) {
	b, err := derive(bits, label, idSize)
	if err != nil {
		return uuid.Nil, err
	}
	return version8(b), nil
}

// derive returns n bytes that follow from a key, for one use.
func derive(bits []byte, label string, n int) ([]byte, error) {
	b, err := hkdf.Key(sha256.New, bits, nil, "keysake v1 "+label, n)
	if err != nil {
		return nil, fmt.Errorf("seal: derive %s: %w", label, err)
	}
	return b, nil
}

// ServiceRootKeyID derives the id of a root key from the URL of the key service that keeps it.
func ServiceRootKeyID(url string) uuid.UUID {
	sum := sha256.Sum256([]byte("keysake v1 service-root-key-id " + url))
	return version8(sum[:idSize])
}

// version8 makes 16 bytes a UUID of version 8 (RFC 9562, section 5.8).
func version8(b []byte) uuid.UUID {
	id := uuid.UUID(b)
	id[6] = id[6]&0x0f | 0x80 // version
	id[8] = id[8]&0x3f | 0x80 // variant
	return id
}

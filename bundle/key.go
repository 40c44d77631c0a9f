package bundle

import (
	"crypto/hpke"
	"crypto/rand"
	"fmt"
	"io"
)

// KeySize is the size of a private key of either suite, in bytes.
const KeySize = 32

// A Key is a key pair that opens what was sealed to its recipient. It cannot be printed. It is safe
// for concurrent use until it is wiped.
type Key struct {
	suite     Suite
	bits      func() []byte
	private   func() hpke.PrivateKey // out of the reach of reflection, as are the bits
	recipient Recipient
}

// NewKey makes a key pair that exists in memory only. It fails for an unknown suite, and for one
// that this process may not use.
func NewKey(suite Suite) (*Key, error) {
	bits := make([]byte, KeySize)
	_, _ = rand.Read(bits) // it never fails
	return OwnKey(suite, bits)
}

// OwnKey returns the key pair of a private key, of which it takes ownership: 32 bytes, which for
// X-Wing are the seed. It fails for another size or suite.
func OwnKey(suite Suite, bits []byte) (*Key, error) {
	kem, err := suite.kem()
	if err != nil {
		return nil, err
	}
	private, err := kem.NewPrivateKey(bits)
	if err != nil {
		return nil, fmt.Errorf("bundle: no key of suite %s: %w", suite, err)
	}
	recipient, err := newRecipient(suite, private.PublicKey().Bytes())
	if err != nil {
		return nil, err
	}
	return &Key{
		suite: suite, recipient: recipient, bits: func() []byte { return bits },
		private: func() hpke.PrivateKey { return private },
	}, nil
}

// Recipient returns the public half.
func (k *Key) Recipient() Recipient { return k.recipient }

// Wipe zeroes the private key and forgets it, after which nothing opens. What Go's cryptography
// derived from it is garbage: it is overwritten only when its memory is used again.
func (k *Key) Wipe() {
	clear(k.bits())
	k.bits = func() []byte { return nil }
	k.private = func() hpke.PrivateKey { return nil }
}

// Format implements [fmt.Formatter]: every verb prints the public half.
func (k *Key) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, "key of "+k.recipient.String()) // a Formatter cannot return an error
}

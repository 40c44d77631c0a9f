package bundle

import (
	"crypto/hpke"
	"crypto/rand"
	"fmt"
	"io"
)

// KeySize is the size of a private key of either suite, in bytes.
const KeySize = 32

// A Key is a key pair that opens what was sealed to its recipient. It cannot be printed. It is not
// safe for use while it is wiped.
type Key struct {
	suite     Suite
	bits      func() []byte // out of the reach of reflection
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
// X-Wing are the seed.
func OwnKey(suite Suite, bits []byte) (*Key, error) {
	k := &Key{suite: suite, bits: func() []byte { return bits }}
	private, err := k.private()
	if err != nil {
		return nil, fmt.Errorf("bundle: no key of suite %s: %w", suite, err)
	}
	if k.recipient, err = newRecipient(suite, private.PublicKey().Bytes()); err != nil {
		return nil, err
	}
	return k, nil
}

// private makes the key that HPKE needs from the bits. It is made anew for each use, so that what
// lives as long as the Key is what Wipe can zero.
func (k *Key) private() (hpke.PrivateKey, error) {
	kem, err := k.suite.kem()
	if err != nil {
		return nil, err
	}
	return kem.NewPrivateKey(k.bits())
}

// Recipient returns the public half.
func (k *Key) Recipient() Recipient { return k.recipient }

// Wipe zeroes the private key, after which nothing opens. Copies that Go's cryptography made for
// the time of an Open are garbage: they are overwritten only when their memory is used again.
func (k *Key) Wipe() {
	clear(k.bits())
	k.bits = func() []byte { return nil }
}

// Format implements [fmt.Formatter]: every verb prints the public half.
func (k *Key) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, "key of "+k.recipient.String()) // a Formatter cannot return an error
}

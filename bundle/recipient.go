package bundle

import (
	"bytes"
	"crypto/ecdh"
	"crypto/fips140"
	"crypto/hpke"
	"encoding/base64"
	"strings"
)

// A Suite is the id of a KEM in the registry of HPKE. With each go HKDF-SHA-256 and AES-256-GCM.
type Suite uint16

// The suites. A text of a recipient begins with the name of its suite.
const (
	XWing  Suite = 0x647a // MLKEM768-X25519, which holds against quantum computers
	X25519 Suite = 0x0020 // DHKEM(X25519, HKDF-SHA256), for libraries without ML-KEM
)

// String returns the name of the suite.
func (s Suite) String() string {
	switch s {
	case XWing:
		return "x-wing"
	case X25519:
		return "x25519"
	}
	return "unknown"
}

// Suites returns the suites that this process may use, the best first. FIPS 140-3 approves X25519
// only beside ML-KEM.
func Suites() []Suite {
	if fips140.Enforced() {
		return []Suite{XWing}
	}
	return []Suite{XWing, X25519}
}

// PostQuantum reports whether what is sealed today stays closed to a quantum computer.
func (s Suite) PostQuantum() bool { return s == XWing }

func (s Suite) kem() (hpke.KEM, error) {
	switch s {
	case XWing:
		return hpke.MLKEM768X25519(), nil
	case X25519:
		return hpke.DHKEM(ecdh.X25519()), nil
	}
	return nil, ErrRecipient
}

// A Recipient is a public key that something can be sealed to.
type Recipient struct {
	suite  Suite
	raw    []byte
	public hpke.PublicKey
}

// maxRecipient is the length of the longest text of a recipient.
const maxRecipient = len("x-wing:") + (1216*8+5)/6

// ParseRecipient reads the text of a recipient: x-wing: or x25519: and the public key in base64url
// without padding. [ErrRecipient]: it is another text, a key that its suite refuses or to which
// nothing can be sealed, or of a suite that this process may not use.
func ParseRecipient(text string) (Recipient, error) {
	name, key, _ := strings.Cut(text, ":")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(key)
	if err != nil || len(text) > maxRecipient {
		return Recipient{}, ErrRecipient
	}
	for _, suite := range []Suite{XWing, X25519} {
		if suite.String() != name {
			continue
		}
		r, err := newRecipient(suite, raw)
		if err != nil || r.String() != text { // base64 that decodes in spite of line breaks
			return Recipient{}, ErrRecipient
		}
		return r, nil
	}
	return Recipient{}, ErrRecipient
}

func newRecipient(suite Suite, raw []byte) (Recipient, error) {
	kem, err := suite.kem()
	if err != nil {
		return Recipient{}, err
	}
	public, err := kem.NewPublicKey(raw)
	if err != nil || !hasOrder(raw) {
		return Recipient{}, ErrRecipient
	}
	return Recipient{suite: suite, raw: bytes.Clone(raw), public: public}, nil
}

// hasOrder reports whether the point at the end of a public key takes part in an exchange: of a
// few, such as zero, the result is zero whatever the other side draws.
func hasOrder(raw []byte) (ok bool) {
	if len(raw) < 32 {
		return false
	}
	fips140.WithoutEnforcement(func() { // it tests a public key, and keeps no secret
		scalar, err := ecdh.X25519().NewPrivateKey(bytes.Repeat([]byte{1}, 32))
		if err != nil {
			return
		}
		point, err := ecdh.X25519().NewPublicKey(raw[len(raw)-32:])
		if err != nil {
			return
		}
		_, err = scalar.ECDH(point)
		ok = err == nil
	})
	return ok
}

// String returns the text that [ParseRecipient] reads.
func (r Recipient) String() string {
	return r.suite.String() + ":" + base64.RawURLEncoding.EncodeToString(r.raw)
}

// Suite returns the suite of the key.
func (r Recipient) Suite() Suite { return r.suite }

// Bytes returns a copy of the public key.
func (r Recipient) Bytes() []byte { return bytes.Clone(r.raw) }

package bundle

import (
	"bytes"
	"crypto/ecdh"
	"crypto/fips140"
	"crypto/hpke"
	"encoding/base64"
	"slices"
	"strings"
)

// A Suite is the id of a KEM in the registry of HPKE. Each is used with HKDF-SHA-256 and
// AES-256-GCM.
type Suite uint16

// The suites. The text of a recipient begins with the name of its suite.
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

// smallOrder are the points whose order divides 8, of the curve and of its twist, in every form in
// which X25519 reads them: 0 and 1, each also with the prime added, -1, and two more.
//
//nolint:gochecknoglobals // it is a table: nothing writes to it
var smallOrder = [][]byte{
	append([]byte{0x00}, make([]byte, 31)...),
	append([]byte{0x01}, make([]byte, 31)...),
	append([]byte{0xec}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...),
	append([]byte{0xed}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...),
	append([]byte{0xee}, append(bytes.Repeat([]byte{0xff}, 30), 0x7f)...),
	{
		0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa,
		0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd,
		0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
	},
	{
		0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55,
		0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86,
		0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
	},
}

// hasOrder reports whether the point at the end of a public key takes part in an exchange: of a
// few, the result is zero whatever the other side draws. Sealing to one of them fails, too, but by
// then the values would be open.
func hasOrder(raw []byte) bool {
	if len(raw) < 32 {
		return false
	}
	point := bytes.Clone(raw[len(raw)-32:])
	point[31] &= 0x7f // X25519 does not read the last bit
	return !slices.ContainsFunc(smallOrder, func(p []byte) bool { return bytes.Equal(p, point) })
}

// String returns the text that [ParseRecipient] reads.
func (r Recipient) String() string {
	return r.suite.String() + ":" + base64.RawURLEncoding.EncodeToString(r.raw)
}

// Suite returns the suite of the key.
func (r Recipient) Suite() Suite { return r.suite }

// Bytes returns a copy of the public key.
func (r Recipient) Bytes() []byte { return bytes.Clone(r.raw) }

// Package bundle seals secrets to the program that asked for them, and requests to the server that
// reads them: HPKE (RFC 9180), single shot, in base mode.
//
// Whoever has a recipient's public key can seal something to it: that a bundle opens says for whom
// it was made and in which lease, and not who made it. Compare the names in it with what was asked
// for. The bytes are described in format.md, for implementations in other languages.
package bundle

import (
	"crypto/hpke"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
)

// Errors. None tells anything of the plain text, or of the reason why a bundle does not open.
var (
	ErrOpen      = errors.New("bundle: it does not open with this key and this binding")
	ErrPayload   = errors.New("bundle: this payload cannot be sealed")
	ErrRecipient = errors.New("bundle: not a recipient: x-wing: or x25519: and a public key")
)

// PurposeEnv is the purpose of a bundle that holds environment variables.
const PurposeEnv = "env"

// A Binding says what a bundle belongs to. The bundle does not hold it: to open one, it must be
// known.
type Binding struct {
	Server  [16]byte // the UUID of the instance
	Lease   [16]byte // the UUID of the lease
	Purpose string   // [PurposeEnv]
}

func (b Binding) info(to Recipient) []byte {
	hash := to.Hash()
	return appendParts(
		[]byte("keysake bundle v1"), b.Server[:], []byte(b.Purpose), b.Lease[:], hash[:],
	)
}

// Seal seals a payload to a recipient. The copy of the values that it makes is zeroed.
// [ErrPayload]: a name, value or time breaks the rules of the format, or a name is there twice.
func Seal(to Recipient, b Binding, p Payload) ([]byte, error) {
	plain, err := p.marshal(b.Lease)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return to.seal(b.info(to), plain)
}

// Open opens a bundle. Wipe the payload when it is of no more use. [ErrOpen]: it was not sealed to
// this key with this binding, or is no bundle.
func Open(k *Key, b Binding, sealed []byte) (Payload, error) {
	plain, err := k.open(b.info(k.Recipient()), sealed)
	if err != nil {
		return Payload{}, err
	}
	defer clear(plain)
	return unmarshal(plain, b.Lease)
}

// What every sealed thing begins with: the version of the format and the ids of the suite.
const (
	version    = 1
	headerSize = 7
)

func header(s Suite) []byte {
	b := binary.BigEndian.AppendUint16([]byte{version}, uint16(s))
	b = binary.BigEndian.AppendUint16(b, hpke.HKDFSHA256().ID())
	return binary.BigEndian.AppendUint16(b, hpke.AES256GCM().ID())
}

// seal returns header, encapsulated key and ciphertext.
func (r Recipient) seal(info, plain []byte) ([]byte, error) {
	if r.public == nil {
		return nil, ErrRecipient
	}
	sealed, err := hpke.Seal(r.public, hpke.HKDFSHA256(), hpke.AES256GCM(), info, plain)
	if err != nil {
		return nil, ErrRecipient
	}
	return slices.Concat(header(r.suite), sealed), nil
}

func (k *Key) open(info, sealed []byte) ([]byte, error) {
	private := k.private()
	if private == nil || len(sealed) < headerSize ||
		!slices.Equal(sealed[:headerSize], header(k.suite)) {
		return nil, ErrOpen
	}
	plain, err := hpke.Open(
		private, hpke.HKDFSHA256(), hpke.AES256GCM(), info, sealed[headerSize:],
	)
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// appendParts returns the parts, each with its length before it in four bytes.
func appendParts(parts ...[]byte) []byte {
	var b []byte
	for _, part := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part))) //nolint:gosec // parts are short
		b = append(b, part...)
	}
	return b
}

// Hash returns SHA-256 of the public key.
func (r Recipient) Hash() [sha256.Size]byte { return sha256.Sum256(r.raw) }

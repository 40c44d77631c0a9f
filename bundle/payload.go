package bundle

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keysake/keysake/plaintext"
)

// A Payload is what a bundle of a lease holds.
type Payload struct {
	ExpiresAt time.Time // of the lease, in whole seconds
	Secrets   []Secret  // in the order of their names
}

// A Secret is one environment variable.
type Secret struct {
	ID      [16]byte
	Name    string
	Version uint64 // from 1
	Value   plaintext.Value
}

// Limits of a payload.
const (
	MaxSecrets = 50 // it has at least one

	maxName    = 128
	maxVersion = 1<<53 - 1 // the last one that every JSON library reads exactly
)

// Wipe zeroes the values.
func (p Payload) Wipe() {
	for _, s := range p.Secrets {
		clear(s.Value.Reveal())
	}
}

// marshal writes the canonical JSON of the payload into one buffer, which the caller zeroes.
func (p Payload) marshal(lease [16]byte) ([]byte, error) {
	secrets := slices.Clone(p.Secrets)
	slices.SortFunc(secrets, func(a, b Secret) int { return strings.Compare(a.Name, b.Name) })
	if !valid(secrets) {
		return nil, ErrPayload
	}
	expires := p.ExpiresAt.UTC().Truncate(time.Second)
	if expires.Year() < 0 || expires.Year() > 9999 {
		return nil, ErrPayload
	}
	b := make([]byte, 0, room(secrets))
	b = append(b, `{"env":{`...)
	for i, s := range secrets {
		b = appendName(b, i, s.Name)
		b = appendString(append(b, ':'), s.Value.Reveal())
	}
	b = expires.AppendFormat(append(b, `},"expires_at":"`...), time.RFC3339)
	b = appendUUID(append(b, `","lease":"`...), lease)
	b = append(b, `","secrets":[`...)
	for i, s := range secrets {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendUUID(append(b, `{"id":"`...), s.ID)
		b = append(append(append(b, `","name":"`...), s.Name...), `","version":`...)
		b = append(strconv.AppendUint(b, s.Version, 10), '}')
	}
	return append(b, `]}`...), nil
}

// room returns a size that the payload does not exceed, so that it is written without a second
// buffer that would stay behind in memory.
func room(secrets []Secret) int {
	size := 128
	for _, s := range secrets {
		size += 128 + 2*len(s.Name) + 6*s.Value.Len()
	}
	return size
}

// valid reports whether these secrets, in order, may be a payload.
func valid(secrets []Secret) bool {
	for i, s := range secrets {
		if !validName(s.Name) || s.Version < 1 || s.Version > maxVersion ||
			!utf8.Valid(s.Value.Reveal()) || i > 0 && secrets[i-1].Name == s.Name {
			return false
		}
	}
	return len(secrets) >= 1 && len(secrets) <= MaxSecrets
}

// validName reports whether a text is a letter or underscore, and at most 127 more of these and
// digits.
func validName(name string) bool {
	for i, c := range []byte(name) {
		letter := c == '_' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return name != "" && len(name) <= maxName
}

func appendName(b []byte, i int, name string) []byte {
	if i > 0 {
		b = append(b, ',')
	}
	return append(append(append(b, '"'), name...), '"')
}

func appendUUID(b []byte, id [16]byte) []byte {
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

// short has the characters that are escaped by a letter.
const (
	short   = "\"\\\b\f\n\r\t"
	letters = `"\bfnrt`
)

// appendString writes a JSON string as RFC 8785 has it: nothing is escaped that need not be.
func appendString(b, s []byte) []byte {
	b = append(b, '"')
	for _, c := range s {
		if i := strings.IndexByte(short, c); i >= 0 {
			b = append(b, '\\', letters[i])
		} else if c < 0x20 {
			b = append(append(b, `\u`...), fourDigits(c)...)
		} else {
			b = append(b, c)
		}
	}
	return append(b, '"')
}

func fourDigits(c byte) string { return "00" + hex.EncodeToString([]byte{c}) }

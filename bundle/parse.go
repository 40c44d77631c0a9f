package bundle

import (
	"bytes"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/keysake/keysake/plaintext"
)

// unmarshal reads the canonical JSON of a payload of this lease, and no other JSON. The values are
// copies: the caller may zero b. encoding/json would leave further copies behind.
func unmarshal(b []byte, lease [16]byte) (Payload, error) {
	r := &reader{rest: b}
	p := r.payload(lease)
	if r.failed || len(r.rest) > 0 || !valid(p.Secrets) {
		p.Wipe()
		return Payload{}, ErrOpen
	}
	return p, nil
}

// A reader takes a payload apart. After something unexpected it has failed, and reads nothing more.
type reader struct {
	rest   []byte
	failed bool
}

func (r *reader) payload(lease [16]byte) (p Payload) {
	r.expect(`{"env":{"`)
	for more := true; more; more = r.skip(`,"`) {
		s := Secret{Name: r.until('"')}
		r.expect(`:"`)
		s.Value = r.value()
		p.Secrets = append(p.Secrets, s)
	}
	r.expect(`},"expires_at":"`)
	text := r.until('"')
	expires, err := time.Parse("2006-01-02T15:04:05Z", text)
	if err != nil || expires.Format(time.RFC3339) != text {
		r.fail()
	}
	p.ExpiresAt = expires
	r.expect(`,"lease":"`)
	if r.uuid() != lease {
		r.fail()
	}
	r.expect(`,"secrets":[`)
	for i := range p.Secrets {
		if i > 0 {
			r.expect(`,`)
		}
		s := &p.Secrets[i]
		r.expect(`{"id":"`)
		s.ID = r.uuid()
		r.expect(`,"name":"` + s.Name + `","version":`)
		s.Version = r.number()
		r.expect(`}`)
	}
	r.expect(`]}`)
	return p
}

func (r *reader) fail() { r.failed, r.rest = true, nil }

// skip takes a text if it is next, and reports whether it was.
func (r *reader) skip(text string) bool {
	if r.failed || !bytes.HasPrefix(r.rest, []byte(text)) {
		return false
	}
	r.rest = r.rest[len(text):]
	return true
}

// advance takes so many bytes, unless the reader has failed.
func (r *reader) advance(n int) {
	if !r.failed {
		r.rest = r.rest[n:]
	}
}

func (r *reader) expect(text string) {
	if !r.skip(text) {
		r.fail()
	}
}

// until takes a text that has no escapes, and the byte after it.
func (r *reader) until(end byte) string {
	i := bytes.IndexByte(r.rest, end)
	if i < 0 || i > maxName {
		r.fail()
		return ""
	}
	text := string(r.rest[:i])
	r.rest = r.rest[i+1:]
	return text
}

func (r *reader) uuid() (id [16]byte) {
	text := r.until('"')
	digits := strings.ReplaceAll(text, "-", "")
	_, err := hex.Decode(id[:], []byte(digits[:min(2*len(id), len(digits))]))
	if err != nil || string(appendUUID(nil, id)) != text {
		r.fail()
	}
	return id
}

func (r *reader) number() uint64 {
	end := bytes.IndexByte(r.rest, '}')
	if end < 0 || end > 16 {
		r.fail()
		return 0
	}
	text := string(r.rest[:end])
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || strconv.FormatUint(n, 10) != text {
		r.fail()
	}
	r.advance(end)
	return n
}

// value takes the rest of a JSON string and the quote that ends it.
func (r *reader) value() plaintext.Value {
	size := 0
	for size < len(r.rest) && r.rest[size] != '"' {
		if r.rest[size] == '\\' {
			size++
		}
		size++
	}
	if size >= len(r.rest) {
		r.fail()
		return plaintext.Value{}
	}
	text, value := r.rest[:size], make([]byte, 0, size)
	for len(text) > 0 {
		c, rest, ok := character(text)
		if !ok {
			clear(value)
			r.fail()
			return plaintext.Value{}
		}
		value, text = append(value, c), rest
	}
	r.advance(size + 1)
	if !utf8.Valid(value) {
		r.fail()
	}
	return plaintext.Own(value)
}

// character takes one byte of a value: as it is, or escaped in the one way that the format has.
func character(text []byte) (c byte, rest []byte, ok bool) {
	if text[0] != '\\' {
		return text[0], text[1:], text[0] >= 0x20
	}
	if len(text) < 2 {
		return 0, nil, false
	}
	if i := strings.IndexByte(letters, text[1]); i >= 0 {
		return short[i], text[2:], true
	}
	if len(text) < 6 || text[1] != 'u' {
		return 0, nil, false
	}
	n, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil || n >= 0x20 {
		return 0, nil, false
	}
	canonical := strings.IndexByte(short, byte(n)) < 0 && string(text[2:6]) == fourDigits(byte(n))
	return byte(n), text[6:], canonical
}

package vault

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
)

// A cursor has the number and the hash of the entry with which the next page must begin, and a code
// over them and the chain: what a client makes up must not look like tampering.
const (
	cursorCode = 16
	cursorSize = 8 + len(audit.Hash{}) + cursorCode
)

func (p *page) cursorEntry(key seal.InstanceKey, at audit.Head) []byte {
	return anchor.NewRow("audit-cursor").ID(p.owner).Number(at.Seq).Bytes(at.Hash[:]).
		Entry(key, cursorCode)
}

// cursor returns the cursor of a page that begins with the entry at.
func (p *page) cursor(at audit.Head) (string, error) {
	key, err := p.core.instance.first()
	if err != nil {
		return "", err
	}
	b := binary.BigEndian.AppendUint64(make([]byte, 0, cursorSize), at.Seq)
	b = append(append(b, at.Hash[:]...), p.cursorEntry(key, at)...)
	return base64.RawURLEncoding.EncodeToString(b), nil
}

// parseCursor returns where the page of a cursor begins. Invalid: it is not one of this chain, or
// an instance key made it that is no longer believed.
func (p *page) parseCursor(text string) (audit.Head, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err == nil && len(b) == cursorSize {
		at := audit.Head{Seq: binary.BigEndian.Uint64(b)}
		at.Hash = audit.Hash(b[8 : len(b)-cursorCode])
		for _, key := range p.core.instance.all() {
			code := p.cursorEntry(key, at)
			if subtle.ConstantTimeCompare(code, b[len(b)-cursorCode:]) == 1 {
				return at, nil
			}
		}
	}
	return audit.Head{}, errNoCursor
}

var errNoCursor = invalid(Field{
	"cursor", GoodValue, "Not a cursor of this list: begin again without one",
})

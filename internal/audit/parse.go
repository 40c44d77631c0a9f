package audit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net/netip"
	"time"

	"github.com/google/uuid"
)

// ErrEntry is the error of bytes that are not the canonical bytes of an entry.
var ErrEntry = errors.New("these are not the bytes of an audit entry")

// ParseEntry reads the canonical bytes of an entry. ErrEntry: they are something else.
func ParseEntry(b []byte) (Entry, error) {
	rest, ok := bytes.CutPrefix(b, []byte(canonicalTag))
	p := &parser{rest: rest, ok: ok}
	var e Entry
	e.Owner = p.id()
	e.Seq = p.number()
	e.At = time.UnixMicro(int64(p.number())).UTC() //nolint:gosec // as Canonical wrote it
	e.User = p.id()
	e.Credential.Kind = CredentialKind(p.text())
	e.Credential.ID = p.id()
	e.OnBehalfOf = p.id()
	if client := p.text(); client != "" {
		e.Client, _ = netip.ParseAddr(client) // a text that is no address shows in the comparison
	}
	e.Action = p.text()
	e.Outcome = Outcome(p.text())
	e.Target.Kind = TargetKind(p.text())
	e.Target.ID = p.id()
	e.Target.Name = p.text()
	e.Target.Version = p.number()
	e.Lease = p.id()
	e.Run = p.text()
	if !p.ok || !bytes.Equal(e.Canonical(), b) {
		return Entry{}, ErrEntry
	}
	return e, nil
}

// A parser takes fields from the beginning of bytes. ok is false once one is missing.
type parser struct {
	rest []byte
	ok   bool
}

func (p *parser) take(n uint32) []byte {
	if p.ok = p.ok && uint64(n) <= uint64(len(p.rest)); !p.ok {
		return make([]byte, min(n, 16))
	}
	taken := p.rest[:n]
	p.rest = p.rest[n:]
	return taken
}

func (p *parser) id() uuid.UUID { return uuid.UUID(p.take(16)) }

func (p *parser) number() uint64 { return binary.BigEndian.Uint64(p.take(8)) }

func (p *parser) text() string { return string(p.take(binary.BigEndian.Uint32(p.take(4)))) }

package broker

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/redact"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// Template is the form of a path that is recorded.
func Template(path string) string { return template(path) }

// ParseTarget returns the parts of a request's line.
func ParseTarget(line string) (provider, host, path, query string, ok bool) {
	t, err := parseTarget(line)
	return t.provider, t.host, t.path, t.query, err == nil
}

// Unescape decodes a path once, if it can be.
func Unescape(path string) string {
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

// Scrub returns a text that is read in pieces of a size, with a value replaced.
func Scrub(value, placeholder, text string, size int) string {
	f := &flow{masks: redact.New([]redact.Secret{{
		Value: plaintext.FromString(value), Mask: placeholder,
	}})}
	resp := &http.Response{
		Header: http.Header{}, Body: io.NopCloser(pieces{strings.NewReader(text), size}),
	}
	if !new(Broker).scrubBody(resp, f) {
		panic("it cannot be scrubbed")
	}
	clean, err := io.ReadAll(resp.Body)
	if err != nil {
		panic(err)
	}
	return string(clean)
}

type pieces struct {
	io.Reader
	size int
}

func (p pieces) Read(b []byte) (int, error) { return p.Reader.Read(b[:min(len(b), p.size)]) }

// StripSubprotocols returns what remains of a header.
func StripSubprotocols(value, prefix string) string {
	h := http.Header{"Sec-Websocket-Protocol": {value}}
	places{protocols: []string{prefix}}.strip(h, "")
	return h.Get("Sec-Websocket-Protocol")
}

// MatchesHost reports whether a host is one of a pattern of the catalog.
func MatchesHost(pattern, host string) bool { return matchesHost(pattern, host) }

// KeepRecord records what waits.
func (b *Broker) KeepRecord(ctx context.Context) { b.keepRecord(ctx) }

// Leaves returns how many certificates are kept for the hosts of leases.
func (b *Broker) Leaves() (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.authorities {
		a.mu.Lock()
		n += len(a.leaves)
		a.mu.Unlock()
	}
	return n
}

// Waiting adds refusals of one lease to a record, and a request of another, and returns how many
// of each wait.
func Waiting(refusals int) (loud, quiet int) {
	var r record
	one := vault.BrokeredRequest{Lease: uuid.New(), Refused: "path"}
	for range refusals {
		r.add(one)
	}
	r.add(vault.BrokeredRequest{Lease: uuid.New()})
	for _, w := range r.take() {
		if w.Lease == one.Lease {
			loud++
		} else {
			quiet++
		}
	}
	if len(r.refused) != 0 {
		panic("what waits no more is counted")
	}
	return loud, quiet
}

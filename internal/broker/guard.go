package broker

import (
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/redact"
	"github.com/keysake/keysake/plaintext"
)

// leasePart is how many characters of a placeholder name its lease.
const leasePart = 22

// masksOfLease finds every placeholder of a lease, also those of its other secrets: a program that
// prints its environment has all of them in one text. What they have in common is found, which is
// in nothing else.
func masksOfLease(placeholder string) *redact.Masks {
	part := placeholder
	if at := len(part) - tokenLength; at >= 0 {
		part = part[at : at+leasePart]
	}
	return redact.New([]redact.Secret{{Value: plaintext.FromString(part)}})
}

// isMisplaced reports whether a request has a placeholder of its lease where no credential belongs.
func (p places) isMisplaced(own *redact.Masks, h http.Header, t target) bool {
	has := func(text string) bool {
		if len(text) < leasePart {
			return false
		}
		return own.In(text) || strings.Contains(text, "%") && own.In(unescape(text))
	}
	for name, values := range h {
		switch {
		case slices.Contains(p.headers, name):
			continue // it has nothing else
		case name == "Sec-Websocket-Protocol":
			values = slices.DeleteFunc(subprotocols(h), func(s string) bool {
				_, found := p.cutProtocol(s)
				return found
			})
		case isOfTheWay(name) && name != "Cookie" && name != "Origin":
			continue // it goes no further
		}
		if slices.ContainsFunc(values, has) {
			return true
		}
	}
	return has(t.path) || has(p.stripQuery(t.query))
}

var (
	errMisplaced     = refuse(ruleMisplaced, "A placeholder is where no credential belongs")
	errMisplacedBody = refuse(ruleMisplaced, "A placeholder is in the body or a trailer of the "+
		"request, where no credential belongs: take it out, it may be from the output of a command")
)

// A guarded body is that of a request. It ends with an error before it has a placeholder of its
// lease: it is read as it streams, and what may be the beginning of one is held back.
type guarded struct {
	io.ReadCloser
	flow    *flow
	finder  *redact.Finder
	length  int64       // of the body; -1 if it is not known
	trailer http.Header // filled in when the body ends
	buf     []byte      // made when something is held back
	ready   []byte      // of buf: what may be passed on
	held    []byte      // of buf, after it
	err     error
}

// newGuarded returns a body that is looked at. length is -1 if it is not known.
func newGuarded(body io.ReadCloser, length int64, trailer http.Header, f *flow) *guarded {
	return &guarded{
		ReadCloser: body, flow: f, finder: f.own.Finder(), length: length, trailer: trailer,
	}
}

// leastHeld is how much of a placeholder there must be before it waits for the rest. Most texts end
// with a byte with which one could begin, and some clients send no more until that was answered.
const leastHeld = 8

func (g *guarded) Read(p []byte) (n int, err error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(g.ready) == 0 && len(g.held) == 0 && g.err == nil {
		if n, err = g.direct(p); n > 0 {
			return n, err
		}
	}
	for len(g.ready) == 0 {
		if g.err != nil {
			return 0, g.err
		}
		g.fill()
	}
	n = copy(p, g.ready)
	g.ready = g.ready[n:]
	return n, nil
}

// direct reads a piece into p, while nothing is held back.
func (g *guarded) direct(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	end := g.look(p[:n], n, err)
	if end == n || g.err != nil {
		return end, g.err
	}
	if g.buf == nil {
		size := int64(bufferSize)
		if g.length >= 0 {
			size = min(size, g.length+leasePart*8) // more than is ever held back
		}
		g.buf = make([]byte, size)
	}
	g.held = g.buf[:copy(g.buf, p[end:n])]
	return end, nil
}

// fill reads the next piece after what is held back.
func (g *guarded) fill() {
	before := copy(g.buf, g.held)
	n, err := g.ReadCloser.Read(g.buf[before:])
	end := g.look(g.buf[before:before+n], before+n, err)
	g.ready, g.held = g.buf[:end], g.buf[end:before+n]
	if g.err != nil {
		g.held = nil
	}
}

// look looks at a piece that was read with an error, and returns how many of all the bytes up to
// its end may be passed on.
func (g *guarded) look(piece []byte, all int, err error) int {
	open, found := g.finder.Next(piece)
	if g.err = err; err != nil {
		open = 0
		found = found || g.trailerHasOne()
	}
	if found {
		g.err = errMisplacedBody
		g.flow.end(errMisplacedBody)
		return 0
	}
	if open < leastHeld {
		open = 0
	}
	return max(0, all-open)
}

func (g *guarded) trailerHasOne() bool {
	for _, values := range g.trailer {
		if slices.ContainsFunc(values, g.flow.own.In) {
			return true
		}
	}
	return false
}

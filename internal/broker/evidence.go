package broker

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/probe"
	"github.com/keysake/keysake/internal/vault"
)

// A verdict is which answers of a provider say that its key works, by its status alone.
type verdict struct {
	none  bool     // it says in the body that a key is not valid
	paths []string // at which it answers nobody without a key, whatever the method
}

func newVerdict(e *catalog.Entry) (v verdict) {
	for _, check := range e.Verify {
		if at, err := url.Parse(check.Request.URL); err == nil {
			v.paths = append(v.paths, at.Path)
		}
		v.none = v.none || slices.ContainsFunc(check.Rules, func(r catalog.Rule) bool {
			return r.Then == catalog.OutcomeInvalid && slices.ContainsFunc(r.When.Status, isDone)
		})
	}
	return v
}

func isDone(status int) bool {
	return status >= http.StatusOK && status < http.StatusMultipleChoices
}

// isWorking reports whether a success says that the key works. What can be read may be public, and
// is then answered whatever the key is; only who is known may change something.
func (v verdict) isWorking(f *flow) bool {
	if v.none || f.answer.StatusCode == http.StatusMultiStatus || // whose parts have their own
		strings.HasPrefix(f.answer.Header.Get("Content-Type"), "application/grpc") {
		return false
	}
	switch f.answer.Request.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return slices.Contains(v.paths, f.target.path)
	}
	return true
}

// maxSaid is how much is kept of the body of an answer that may refuse the key. Errors are short.
const maxSaid = 4 << 10

// said is the body of a 401, read as it streams.
type said struct {
	reads, whole bool
	text         []byte
}

func (s *said) feed(p []byte) {
	if s.reads && len(s.text) <= maxSaid {
		s.text = append(s.text, p[:min(len(p), maxSaid+1-len(s.text))]...)
	}
}

// isOne reports whether it is an error: all of it, and no longer than those are.
func (s *said) isOne() bool { return s.whole && len(s.text) <= maxSaid }

// heed reads a part of the body of an answer, as the provider sent it.
func (f *flow) heed(p []byte, err error) {
	f.usage.feed(p)
	f.said.feed(p)
	f.said.whole = errors.Is(err, io.EOF)
}

// shown returns what the answer to a flow shows of the key. It refuses the key if the catalog's
// check of it would say so: the provider's own words, on the host that the catalog pins, and not
// that of a gateway.
func (b *Broker) shown(f *flow) vault.Evidence {
	defer func() { clear(f.said.text) }() // the provider may have repeated the key
	if f.answer == nil {
		return vault.NothingShown
	}
	switch status := f.answer.StatusCode; {
	case isDone(status) && f.match.verdict.isWorking(f):
		return vault.KeyWorked
	case status == http.StatusUnauthorized && !f.credential.shared && f.said.isOne():
		check, found := b.catalog.CheckOf(f.match.entry.ID, f.grant.Value)
		if found && probe.Judge(check, status, f.answer.Header, f.said.text) ==
			catalog.OutcomeInvalid {
			return vault.KeyRefused
		}
	}
	return vault.NothingShown
}

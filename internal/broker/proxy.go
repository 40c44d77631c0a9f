package broker

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keysake/keysake/internal/netguard"
)

// bufferSize is what a stream has to copy with, in each direction.
const bufferSize = 4 << 10

// flushInterval is how long a part of an answer may wait for the next one if its provider said how
// long it is: then it is likely whole, and written at once. What streams does not wait.
const flushInterval = 5 * time.Millisecond

// buffers are kept for the next stream.
type buffers struct{ pool sync.Pool }

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		return *p
	}
	return make([]byte, bufferSize)
}

func (b *buffers) Put(p []byte) { b.pool.Put(&p) }

// newProxy returns what sends a flow on. It tries nothing twice, and waits for an answer as long as
// the client does.
func (b *Broker) newProxy(upstream http.RoundTripper) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Transport:      upstream,
		Rewrite:        rewrite,
		ModifyResponse: b.modify,
		ErrorHandler:   b.fail,
		FlushInterval:  flushInterval,
		BufferPool:     &buffers{},
		ErrorLog:       log.New(io.Discard, "", 0), // failures are answered, counted and recorded
	}
}

// rewrite makes the request that is sent on. Its path and query are byte for byte those of the
// client, but for a credential.
func rewrite(pr *httputil.ProxyRequest) {
	f := flowOf(pr.In.Context())
	h := pr.Out.Header
	query := f.match.places.strip(h, f.target.query)
	query = f.credential.attach(h, query)
	pr.Out.URL = &url.URL{
		Scheme: "https", Host: f.match.host, Opaque: f.target.path, RawQuery: query,
		ForceQuery: f.target.hasQuery && f.target.query == "",
	}
	pr.Out.Host = ""
	pr.Out.Trailer = pr.In.Trailer // which is filled in after the body
	if !isWebSocket(pr.In) {
		delete(h, "Upgrade")
		delete(h, "Connection")
	}
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, given := h[name]; given {
			// By this name net/http knows what it may send twice, which is for the client to say.
			delete(h, name)
			h[strings.ToLower(name)] = values
		}
	}
	if asked := h["Accept-Encoding"]; f.masks != nil && len(asked) > 0 {
		h["Accept-Encoding"] = []string{encodings(asked, f.passes)}
	}
	if pr.Out.Body != nil && pr.Out.Body != http.NoBody {
		pr.Out.Body = newGuarded(upload{pr.Out.Body, f}, pr.In.ContentLength, pr.In.Trailer, f)
	}
}

func isWebSocket(r *http.Request) bool {
	return strings.EqualFold(r.Header.Get("Upgrade"), "websocket") &&
		slices.ContainsFunc(r.Header["Connection"], func(line string) bool {
			return containsFold(strings.FieldsFunc(line, func(c rune) bool {
				return c == ',' || c == ' '
			}), "upgrade")
		})
}

// modify makes the answer that the client gets of the provider's.
func (b *Broker) modify(resp *http.Response) error {
	f := flowOf(resp.Request.Context())
	if f.clean(resp.Header) {
		b.echoed.Add(1)
	}
	f.clean(resp.Trailer) // its names: what they say comes after the body
	f.answer, f.said.reads = resp, resp.StatusCode == http.StatusUnauthorized
	if resp.StatusCode == http.StatusSwitchingProtocols {
		body, ok := resp.Body.(io.ReadWriteCloser)
		if !ok {
			return errors.New("the connection cannot be written to")
		}
		resp.Body = upgraded{body, f}
		f.begin(resp.StatusCode)
		return nil
	}
	resp.Body = download{resp.Body, f}
	if m, found := f.mintOf(resp.Request.Method); found && resp.StatusCode < 300 {
		if why := f.replaceMint(resp, m); why != nil {
			return why
		}
	}
	if f.masks != nil {
		hasBody := resp.Request.Method != http.MethodHead && resp.ContentLength != 0 &&
			resp.StatusCode != http.StatusNotModified && resp.StatusCode != http.StatusNoContent
		kind := resp.Header.Get("Content-Type")
		switch {
		case !hasBody:
		case resp.StatusCode == http.StatusPartialContent && (isText(kind) || isParts(kind)):
			return errPart
		case isText(kind) && !b.scrubBody(resp, f):
			b.unscrubbed.Add(1)
		}
	}
	f.exchange.Begin(resp.Header)
	f.begin(resp.StatusCode)
	return nil
}

// errPart is for an answer whose client chose where it begins and ends: that may be within the key.
var errPart = &refusal{
	status: http.StatusBadGateway, rule: ruleAnswer,
	detail: "A part of a text cannot be looked through for the key: ask without Range",
}

// fail answers a request for which the provider has no answer.
func (b *Broker) fail(w http.ResponseWriter, r *http.Request, err error) {
	f := flowOf(r.Context())
	why, ok := errors.AsType[*refusal](err)
	cause := context.Cause(r.Context())
	if !ok {
		why, ok = errors.AsType[*refusal](cause)
	}
	switch {
	case ok:
	case errors.Is(cause, context.Canceled):
		f.fail(errGone)
		panic(http.ErrAbortHandler)
	case errors.Is(cause, errEnded):
		why = refuse(rulePlaceholder, "The lease has ended")
	case errors.Is(cause, errBytes):
		why = limited(0, "%d bytes in all", f.grant.Limits.Bytes)
		why.final = true
	case errors.Is(cause, errStopped):
		why = unavailable()
	case errors.Is(err, netguard.ErrRefused):
		why = refuse(ruleAddress, "The provider's host has an address that is not allowed")
	default:
		why = &refusal{
			status: http.StatusBadGateway, rule: ruleUpstream,
			detail: "The provider did not answer",
		}
	}
	f.fail(why)
	why.answer(w, r, f.match.provider, f.grant.Lease.String())
	linger(w, f.request.Body, r)
}

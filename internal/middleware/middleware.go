// Package middleware is what surrounds every handler that faces the network: the request's id, the
// client's address, limits, panics and the access log. It knows neither what is served nor how an
// error is written: that is [Options.Fail].
package middleware

import (
	"cmp"
	"log/slog"
	"net/http"
	"net/netip"
	"time"
)

// Options are what [New] needs. Strangers and Observe may be nil.
type Options struct {
	// TrustedProxies are the networks whose X-Forwarded-For is believed.
	TrustedProxies []netip.Prefix
	Log            *slog.Logger
	Strangers      *Strangers
	// Observe is told of every answer when it ends, and of a stream when it begins: the route's
	// pattern, never the path that was asked for.
	Observe func(route, method string, status int, took time.Duration)
	// Fail writes the answer to an error of this package.
	Fail func(w http.ResponseWriter, r *http.Request, err error)
}

// Unmatched is the route of a request until a router names another.
const Unmatched = "unmatched"

// New returns next with everything around it. Every answer leaves through it, and each has an id, a
// line in the log and one call of [Options.Observe].
func New(o Options, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w, options: &o, began: time.Now()}
		req := &Request{
			ID: newRequestID(), Client: clientAddress(r, o.TrustedProxies), Route: Unmatched,
			parent: r.Context(),
		}
		w.Header()["X-Request-Id"] = []string{req.ID}
		r = r.WithContext(req)
		rec.request = r
		defer req.end()
		defer rec.count()
		defer o.recoverPanic(rec, r)
		next.ServeHTTP(rec, r)
		rec.status = cmp.Or(rec.status, http.StatusOK) // as net/http answers for a silent handler
	})
}

// A recorder remembers the status of an answer, and counts it once.
type recorder struct {
	http.ResponseWriter
	status int // 0 before the answer begins

	options *Options
	request *http.Request
	began   time.Time
	counted bool
}

// count logs and counts the answer, if that was not done yet.
func (w *recorder) count() {
	if !w.counted {
		w.counted = true
		w.options.logAccess(w, w.request, time.Since(w.began))
	}
}

func (w *recorder) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.status = cmp.Or(w.status, status)
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	w.status = cmp.Or(w.status, http.StatusOK)
	return w.ResponseWriter.Write(b)
}

// FlushError is for [http.ResponseController]. A flush begins the answer. That of a stream is
// counted then: how long it goes on says nothing of how fast it was answered.
func (w *recorder) FlushError() error {
	w.status = cmp.Or(w.status, http.StatusOK)
	err := http.NewResponseController(w.ResponseWriter).Flush()
	if From(w.request.Context()).stream {
		w.count()
	}
	return err
}

// Unwrap is for [http.ResponseController].
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

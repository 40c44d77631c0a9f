// Package api is the HTTP JSON API: the surface as a table, strict decoding, one call of the domain
// for each operation, and one writer of errors. openapi.yaml, beside it, is the contract, and the
// tests hold the two against each other.
package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/vault"
)

// requestTimeout is how long one request may take from its headers to its answer.
const requestTimeout = 10 * time.Second

// Options are what the API needs. Observe and Now may be nil.
type Options struct {
	Vault          *vault.Service
	Identity       *identity.Identity
	MinClients     []MinClient
	Limits         Limits
	TrustedProxies []netip.Prefix
	Log            *slog.Logger
	// Observe is told of every answer: the route's pattern, never the path that was asked for.
	Observe func(route, method string, status int, took time.Duration)
	Now     func() time.Time
}

// An API answers everything under /api/.
type API struct {
	Options
	perKey   *limiter[audit.Credential]
	failures *limiter[netip.Prefix]
	mux      *http.ServeMux
}

// New returns the API's handler.
func New(o Options) *API {
	return newAPI(o, routes(o.Vault))
}

func newAPI(o Options, routes []route) *API {
	if o.Now == nil {
		o.Now = time.Now
	}
	a := &API{
		Options: o,
		perKey:  newLimiter[audit.Credential]("key", o.Limits.PerKey, o.Limits.Burst, o.Now),
		failures: newLimiter[netip.Prefix](
			"failures",
			float64(o.Limits.Failures)/60,
			o.Limits.Failures,
			o.Now,
		),
		mux: http.NewServeMux(),
	}
	byPath := map[string]map[string]route{}
	for _, rt := range routes {
		if byPath[rt.path] == nil {
			byPath[rt.path] = map[string]route{}
		}
		byPath[rt.path][rt.method] = rt
	}
	a.mux.HandleFunc(
		"/",
		func(w http.ResponseWriter, r *http.Request) { a.fail(callOf(w), r, noRoute()) },
	)
	for pattern, methods := range byPath {
		a.mux.HandleFunc(
			pattern,
			func(w http.ResponseWriter, r *http.Request) { a.dispatch(w, r, pattern, methods) },
		)
	}
	return a
}

// ServeHTTP answers one request. Every answer, errors and panics included, leaves through here.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := a.Now()
	id := requestID()
	h := w.Header()
	h.Set("X-Request-Id", id)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")

	ctx, cancel := context.WithTimeout(r.Context(), requestTimeout)
	defer cancel()
	c := &call{
		ResponseWriter: w,
		id:             id,
		pattern:        "unmatched",
		client:         clientAddress(r, a.TrustedProxies),
	}
	r = r.WithContext(ctx)
	defer func() {
		if cause := recover(); cause != nil {
			a.panicked(c, r, cause)
		}
		a.finish(c, r, a.Now().Sub(began))
	}()
	// A path that is not in its one canonical form is no route: nothing is cleaned, decoded or
	// redirected.
	if r.URL.RawPath != "" || !path.IsAbs(r.URL.Path) || path.Clean(r.URL.Path) != r.URL.Path {
		a.fail(c, r, noRoute())
		return
	}
	a.mux.ServeHTTP(c, r)
}

func noRoute() *problem { return &problem{status: http.StatusNotFound, detail: "No such route"} }

// dispatch finds the method of a path and runs its operation.
func (a *API) dispatch(
	w http.ResponseWriter,
	r *http.Request,
	pattern string,
	methods map[string]route,
) {
	c := callOf(w)
	c.pattern = pattern
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http keeps the body back
	}
	rt, found := methods[method]
	if !found {
		a.fail(c, r, notAllowed(methods))
		return
	}
	if err := a.operate(c, r, rt); err != nil {
		a.fail(c, r, err)
	}
}

func notAllowed(methods map[string]route) *problem {
	var allow []string
	for method := range methods {
		allow = append(allow, method)
		if method == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	return &problem{
		status: http.StatusMethodNotAllowed, detail: "This path does not have that method",
		header: http.Header{"Allow": {strings.Join(allow, ", ")}},
	}
}

// operate checks the client's version, who is calling and how often, in this order, and runs the
// operation.
func (a *API) operate(c *call, r *http.Request, rt route) error {
	if rt.public {
		return rt.handle(c, r, vault.Actor{})
	}
	if p := tooOld(a.MinClients, r.Header); p != nil {
		return p
	}
	who, err := a.Identity.Caller(r.Context(), r.Header)
	if vault.KindOf(err) == vault.Unauthenticated {
		// A right key is let in even from an address whose failures are too many: nobody can lock
		// out their neighbours.
		if p := a.failures.take(network(c.client), c.Header()); p != nil {
			return p
		}
	}
	if err != nil {
		return err
	}
	who.Client = c.client
	c.who = who
	if p := a.perKey.take(who.Credential, c.Header()); p != nil {
		return p
	}
	return rt.handle(c, r, who)
}

func (a *API) fail(c *call, r *http.Request, err error) {
	writeProblem(c, r, a.Log.With("request_id", c.id), err)
}

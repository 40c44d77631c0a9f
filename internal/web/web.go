// Package web is the pages: what people see of Keysake in a browser. They are HTML that the server
// writes, forms that work without a script, and the same use cases as the API's. A value goes in by
// a form and never comes out.
package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"path"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/issuer"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/passkey"
	"github.com/keysake/keysake/internal/vault"
)

// Root is the path below which all pages are. The path / leads there.
const Root = "/ui/"

// Options are what the pages need.
type Options struct {
	Vault      *vault.Service
	Sessions   *identity.Sessions
	Provider   *issuer.Provider     // where people sign in; nil for none
	Passkeys   func() *passkey.Site // returns where passkeys are good, and nil for nowhere
	Failures   int                  // failed sign-ins a minute of a client network; 0 for no limit
	Middleware middleware.Options
	Stopping   <-chan struct{} // closed when streams are to end
	// Fleet tells what the server knows of itself and of those beside it; nil for nothing.
	Fleet func(context.Context) Fleet
}

// How often one session may ask, in a second and at once.
const (
	sessionRate  = 20
	sessionBurst = 100
)

// A site answers everything below [Root].
type site struct {
	Options
	assets   assets
	pages    pages
	mux      *http.ServeMux
	rates    *middleware.Limiter[uuid.UUID]
	failures *middleware.Limiter[netip.Prefix]
	returns  *middleware.Limiter[netip.Prefix] // from the provider
	codes    *middleware.Limiter[uuid.UUID]
	streams  streams
}

// New returns the handler of the pages.
func New(o Options) http.Handler {
	if o.Fleet == nil {
		o.Fleet = func(context.Context) Fleet { return Fleet{} }
	}
	s := &site{
		Options: o, assets: loadAssets(), mux: http.NewServeMux(),
		rates: middleware.NewLimiter[uuid.UUID]("session", sessionRate, sessionBurst),
		failures: middleware.NewLimiter[netip.Prefix](
			"failures", float64(o.Failures)/60, o.Failures),
		returns: middleware.NewLimiter[netip.Prefix](
			"returns", float64(o.Failures)/60, o.Failures),
		codes: middleware.NewLimiter[uuid.UUID]("codes", codesAMinute/60.0, codesAtOnce),
	}
	s.pages = loadPages(s.assets)
	s.mount()
	o.Middleware.Fail = s.fail
	// A request that changes something must come from a page of this very origin.
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, errForeign)
	}))
	return middleware.New(o.Middleware, headers(guard.Handler(s)))
}

// Serves reports whether a path is one of the pages. Clients of the public API send people to two
// that are not below [Root].
func Serves(u *url.URL) bool {
	switch u.Path {
	case "/", "/account/device", "/login/device":
		return true
	}
	return strings.HasPrefix(u.Path, Root)
}

// ServeHTTP answers one request. A path that is not canonical is no page: nothing is cleaned or
// redirected.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	canonical := path.Clean(r.URL.Path) == r.URL.Path || r.URL.Path == Root
	if r.URL.RawPath != "" || !canonical {
		s.fail(w, r, errNoPage)
		return
	}
	s.mux.ServeHTTP(w, r)
}

// policy is the Content-Security-Policy: nothing from elsewhere, nothing inline, and no page of
// this site in a frame.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; " +
	"connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// headers sets those of every answer.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // with no-referrer forms have no origin
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// A caller is a session as the access log shows it.
type caller struct{ vault.Session }

func (c caller) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("user", c.User.String()),
		slog.String("credential", string(c.Credential.Kind)),
		slog.String("credential_id", c.Credential.ID.String()))
}

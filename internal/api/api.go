// Package api is the HTTP JSON API: the surface as a table, strict decoding, one call of the domain
// for each operation, and one writer of errors. openapi.yaml, beside it, is the contract, and the
// tests hold the two against each other.
package api

import (
	"net/http"
	"net/netip"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/wire"
)

// Options are what the API needs.
type Options struct {
	Vault      *vault.Service
	Identity   *identity.Identity
	MinClients []MinClient
	RateLimits RateLimits
	Middleware middleware.Options // Fail is the API's own
	// BrokerURL is where programs reach the broker; empty where there is none.
	BrokerURL string
}

// RateLimits say how often a client may call. Zero turns a limit off.
type RateLimits struct {
	PerKey    float64 // requests a second of one API key
	Burst     int     // how many of them at once
	PerUser   float64 // requests a second of all API keys of one user
	UserBurst int     // how many of them at once
	Failures  int     // failed authentications a minute of one client network

	Sharing *middleware.Sharing // of the first two with other servers; nil for none
}

// An api answers everything under /api/.
type api struct {
	Options
	perKey   *middleware.Limiter[audit.Credential]
	perUser  *middleware.Limiter[uuid.UUID]
	failures *middleware.Limiter[netip.Prefix]
	mux      *http.ServeMux
	sealed   decoder[wire.Sealed]
}

// New returns the API's handler.
func New(o Options) http.Handler {
	return newAPI(o, routes(o.Vault, o.BrokerURL))
}

func newAPI(o Options, routes []route) http.Handler {
	limits := o.RateLimits
	a := &api{
		Options: o,
		perKey:  middleware.NewLimiter[audit.Credential]("key", limits.PerKey, limits.Burst),
		perUser: middleware.NewLimiter[uuid.UUID]("user", limits.PerUser, limits.UserBurst),
		failures: middleware.NewLimiter[netip.Prefix](
			"failures", float64(limits.Failures)/60, limits.Failures),
		mux:    http.NewServeMux(),
		sealed: newDecoder[wire.Sealed](),
	}
	middleware.Share(limits.Sharing, a.perKey, credentialText, credentialFrom)
	middleware.Share(limits.Sharing, a.perUser, uuid.UUID.String, userFrom)
	a.mount(routes)
	o.Middleware.Fail = a.fail
	return middleware.New(o.Middleware, a)
}

// Headers of all answers. What is added to one of them goes into a copy.
//
//nolint:gochecknoglobals // constants in all but the keyword
var (
	noStore = []string{"no-store"}
	noSniff = []string{"nosniff"}
	isJSON  = []string{"application/json"}
)

// ServeHTTP answers one request. What it does not answer itself, fail does.
func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h["Cache-Control"], h["X-Content-Type-Options"] = noStore, noSniff
	if !isCanonical(r.URL) {
		a.fail(w, r, errNoRoute)
		return
	}
	a.mux.ServeHTTP(w, r)
}

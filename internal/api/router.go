package api

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/middleware"
)

var errNoRoute = &problem{status: http.StatusNotFound, detail: "No such route"}

// isCanonical reports whether a path is in its one canonical form. No other is a route: nothing is
// cleaned, decoded or redirected.
func isCanonical(u *url.URL) bool {
	return u.RawPath == "" && path.IsAbs(u.Path) && path.Clean(u.Path) == u.Path
}

// mount puts the routes into the mux, one pattern for all methods of a path: the mux's own answer
// to a wrong method is not in the error envelope.
func (a *api) mount(routes []route) {
	byPath := map[string]map[string]route{}
	for _, rt := range routes {
		if byPath[rt.path] == nil {
			byPath[rt.path] = map[string]route{}
		}
		byPath[rt.path][rt.method] = rt
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.fail(w, r, errNoRoute) })
	for pattern, methods := range byPath {
		a.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			a.dispatch(w, r, pattern, methods)
		})
	}
}

// dispatch finds the method of a path and runs its operation within the limits of the route.
func (a *api) dispatch(
	w http.ResponseWriter, r *http.Request, pattern string, methods map[string]route,
) {
	middleware.From(r.Context()).Route = pattern
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves out the body
	}
	rt, found := methods[method]
	if !found {
		a.fail(w, r, notAllowed(methods))
		return
	}
	limits := rt.limits
	if limits.MaxBody > 0 && isSealed(r.Header) {
		limits.MaxBody = sealedSize(limits.MaxBody)
	}
	limits.Begin(w, r)
	if err := a.run(w, r, rt); err != nil {
		a.fail(w, r, err)
	}
}

func (a *api) run(w http.ResponseWriter, r *http.Request, rt route) error {
	req := &request{Request: r}
	if rt.access == byToken {
		return a.refuse(w, r, a.exchange(w, req, rt))
	}
	if rt.access == current {
		if err := checkClientVersion(a.MinClients, r.Header); err != nil {
			return err
		}
	} else if rt.access != public {
		who, err := a.authenticate(w, r, rt.access)
		if err != nil {
			return err
		}
		req.actor = who
	}
	if rt.limits.MaxBody > 0 && isSealed(r.Header) {
		body, err := req.unseal(a.sealed, a.Vault.Unseal, rt.limits.MaxBody)
		defer clear(body)
		if err != nil {
			return err
		}
	}
	return rt.handle(w, req)
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

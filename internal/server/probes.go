package server

import (
	"context"
	"io"
	"net/http"
	"time"
)

// readyTimeout is how long a readiness probe may take.
const readyTimeout = 2 * time.Second

// withProbes answers the operator's probes and passes every other request to next unchanged. It is
// not an [http.ServeMux], which would clean paths and redirect.
func (s *server) withProbes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		markUsed(r.Context())
		reads := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case reads && r.URL.Path == "/healthz":
			writeText(w, http.StatusOK, "ok")
		case reads && r.URL.Path == "/readyz":
			s.readyz(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// readyz reports whether the server can answer requests: it is not stopping, the database can be
// read and written, the ledger of the instance verifies, without which every request is an error,
// and the root key answered when it was last used. Anyone may ask, so the
// database is written at most every few seconds, and no call is made outside: a key service would
// have to answer for it with its time, its log and its bill.
func (s *server) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	lockedDown, ledgerErr := s.instance.Vault.LockedDown(ctx)
	switch {
	case s.stopping.Load():
		writeText(w, http.StatusServiceUnavailable, "stopping")
	case s.instance.Store.Ping(ctx) != nil:
		writeText(w, http.StatusServiceUnavailable, "the database does not answer")
	case s.instance.Vault.RootKeyFault(ctx) != nil:
		writeText(w, http.StatusServiceUnavailable, "the root key did not answer")
	case ledgerErr != nil:
		writeText(w, http.StatusServiceUnavailable, "the ledger of the instance does not verify")
	case s.instance.Store.ReadOnly():
		writeText(w, http.StatusOK, "ready, read-only"+inLockdown(lockedDown))
	default:
		if fault := s.instance.Store.WriteFault(ctx); fault != "" {
			writeText(w, http.StatusServiceUnavailable, "writes fail: "+fault)
			return
		}
		writeText(w, http.StatusOK, "ready"+inLockdown(lockedDown))
	}
}

// inLockdown is what a probe says more in a lockdown. The status stays: admins are answered.
func inLockdown(locked bool) string {
	if locked {
		return ", locked down"
	}
	return ""
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // it fails only with the connection
}

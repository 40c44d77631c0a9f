package api

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// A call is one request's writer, and what is logged of it.
type call struct {
	http.ResponseWriter
	id      string
	pattern string
	client  netip.Addr
	who     vault.Actor
	status  int // 0 before the answer has begun
}

func (c *call) WriteHeader(status int) {
	c.status = cmp.Or(c.status, status)
	c.ResponseWriter.WriteHeader(status)
}

func (c *call) Write(b []byte) (int, error) {
	c.status = cmp.Or(c.status, http.StatusOK)
	return c.ResponseWriter.Write(b)
}

// callOf returns the call that ServeHTTP made.
func callOf(w http.ResponseWriter) *call {
	c, ok := w.(*call)
	if !ok {
		panic("api: served without ServeHTTP")
	}
	return c
}

// Unwrap is for [http.ResponseController].
func (c *call) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// requestID returns an id that ties an answer to its lines in the log. A client's own is not taken:
// it would be a way into the log.
func requestID() string {
	var b [12]byte
	_, _ = rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// panicked answers 500 if nothing was answered yet. What was panicked with could hold a value and
// is not looked at, unless the runtime made it.
func (a *API) panicked(c *call, r *http.Request, cause any) {
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	what := fmt.Sprintf("%T", cause)
	if err, ok := cause.(runtime.Error); ok {
		what = err.Error()
	}
	a.Log.ErrorContext(
		r.Context(),
		"panic",
		"request_id",
		c.id,
		"what",
		what,
		"stack",
		string(debug.Stack()),
	)
	if c.status == 0 {
		a.fail(c, r, &vault.Error{Kind: vault.Internal, Detail: "panic"})
	}
}

// finish logs and counts the answer. The path and the query are not logged: somebody pastes a key
// into every place there is.
func (a *API) finish(c *call, r *http.Request, took time.Duration) {
	level := slog.LevelDebug
	if c.status >= http.StatusBadRequest {
		level = slog.LevelInfo
	}
	method := r.Method
	if !isMethod(method) {
		method = "other"
	}
	if a.Observe != nil {
		a.Observe(c.pattern, method, c.status, took)
	}
	if !a.Log.Enabled(r.Context(), level) {
		return
	}
	a.Log.LogAttrs(
		r.Context(),
		level,
		"request",
		slog.String(
			"request_id",
			c.id,
		),
		slog.String("method", method),
		slog.String("route", c.pattern),
		slog.Int("status", c.status),
		slog.Duration("took", took),
		slog.String("client", c.client.String()),
		slog.String("user", c.who.User.String()),
		slog.String("api_key", c.who.Credential.ID.String()),
	)
}

// isMethod: any other word in the place of the method is not repeated in logs and metrics.
func isMethod(s string) bool {
	switch s {
	case http.MethodGet,
		http.MethodHead,
		http.MethodPost,
		http.MethodPut,
		http.MethodPatch,
		http.MethodDelete,
		http.MethodOptions,
		http.MethodConnect,
		http.MethodTrace:
		return true
	}
	return false
}

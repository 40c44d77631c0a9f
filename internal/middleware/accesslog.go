package middleware

import (
	"log/slog"
	"net/http"
	"time"
)

// logAccess logs and counts an answer. The path and the query are never logged: people paste keys
// everywhere.
func (o Options) logAccess(w *recorder, r *http.Request, took time.Duration) {
	req, method := From(r.Context()), methodName(r.Method)
	if o.Observe != nil {
		o.Observe(req.Route, method, w.status, took)
	}
	level := slog.LevelDebug
	if w.status >= http.StatusBadRequest {
		level = o.Strangers.Level(req, w.status, slog.LevelInfo)
	}
	o.Strangers.count(req, w.status)
	if !o.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("request_id", req.ID),
		slog.String("method", method),
		slog.String("route", req.Route),
		slog.Int("status", w.status),
		slog.Duration("took", took),
		slog.String("client", req.Client.String()),
	}
	if req.Caller != nil {
		attrs = append(attrs, slog.Any("", req.Caller)) // a group without a name is inlined
	}
	o.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// methodName returns the method, or "other" for a word that is none: it could be anything.
func methodName(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions, http.MethodConnect, http.MethodTrace:
		return method
	}
	return "other"
}

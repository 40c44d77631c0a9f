package server

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/keysake/keysake/internal/config"
)

// readyTimeout is how long the database may take to answer a readiness probe.
const readyTimeout = 2 * time.Second

// readyz says that requests can be answered: the database can be read, and the server is not
// stopping.
func (s *serving) readyz(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
	defer cancel()
	switch {
	case s.stopping.Load():
		plain(w, http.StatusServiceUnavailable, "stopping")
	case s.data.store.Ping(ctx) != nil:
		plain(w, http.StatusServiceUnavailable, "the database does not answer")
	case s.data.vault.RootKeyAnswers(ctx) != nil:
		plain(w, http.StatusServiceUnavailable, "the root key does not answer")
	default:
		plain(w, http.StatusOK, "ready")
	}
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // an error is the connection's
}

// newLogger returns the log as the configuration wants it.
func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

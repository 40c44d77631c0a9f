package server

import (
	"io"
	"log/slog"

	"github.com/keysake/keysake/internal/config"
)

// newLogger returns a log in the format and of the level that the configuration names.
func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

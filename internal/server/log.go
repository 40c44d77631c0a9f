package server

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// newLogger returns a log in the format and of the level that the configuration names.
func newLogger(cfg config.Config, w io.Writer) *slog.Logger {
	options := &slog.HandlerOptions{Level: cfg.LogLevel}
	if cfg.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, options))
	}
	return slog.New(slog.NewTextHandler(w, options))
}

// warnExposed logs what of the data folder and of key material is open to other users. It is no
// refusal, because volumes of containers often belong to a group. A root key in such a file is
// refused where it is read.
func warnExposed(ctx context.Context, cfg config.Config, log *slog.Logger) {
	found, err := instance.Exposed(cfg)
	for _, what := range found {
		log.WarnContext(ctx, "other users can read or change a file of the server", "file", what)
	}
	if err != nil {
		log.WarnContext(ctx, "the modes of the data folder cannot be checked", "cause", err)
	}
}

// A countingWriter counts the lines that could not be written, because nobody reads them any more
// or the disk is full. The log handler writes a line at a time.
type countingWriter struct {
	to   io.Writer
	lost atomic.Uint64
}

// Write implements [io.Writer].
func (w *countingWriter) Write(line []byte) (int, error) {
	n, err := w.to.Write(line)
	if err != nil {
		w.lost.Add(1)
	}
	return n, err
}

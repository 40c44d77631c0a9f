package server

import (
	"io"
	"log/slog"
	"sync/atomic"

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

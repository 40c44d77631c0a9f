package server

import (
	"context"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

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

// warnDisk warns while the disk is almost full.
func (s *server) warnDisk(ctx context.Context) {
	free, floor := s.instance.Store.Space()
	if free < floor && !s.instance.Store.ReadOnly() && s.diskWarning.pass() {
		s.log.WarnContext(ctx,
			"the disk of the data folder is almost full: only revoking and deleting work",
			"free_kib", free>>10, "needed_kib", floor>>10)
	}
}

// throttleInterval is how often the same warning is logged.
const throttleInterval = time.Minute

// A throttle lets a warning pass once a minute. One goroutine uses it.
type throttle struct{ last time.Time }

func (t *throttle) pass() bool {
	if !t.last.IsZero() && time.Since(t.last) < throttleInterval {
		return false
	}
	t.last = time.Now()
	return true
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

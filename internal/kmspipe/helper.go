package kmspipe

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Program is the name of the program that comes with a server.
const Program = "keysake-kms"

// restartPause is how long a program that ended is not started again after it was started.
const restartPause = time.Second

// A Helper asks key services through a program, which it starts when it is first needed, and again
// when it has ended. It is safe for concurrent use.
type Helper struct {
	// Path is the program; empty for [Program] beside the program that runs.
	Path string

	mu      sync.Mutex
	run     *conn
	started time.Time
}

// Wrap asks the program to wrap with a key. An error is an [*Error], or that of ctx.
func (h *Helper) Wrap(ctx context.Context, key string, plain []byte) ([]byte, error) {
	return h.ask(ctx, opWrap, key, plain)
}

// Unwrap asks the program to unwrap with a key. An error is an [*Error], or that of ctx.
func (h *Helper) Unwrap(ctx context.Context, key string, wrapped []byte) ([]byte, error) {
	return h.ask(ctx, opUnwrap, key, wrapped)
}

// Close ends the program. A use of a key would start it again.
func (h *Helper) Close() {
	h.mu.Lock()
	run := h.run
	h.run, h.started = nil, time.Time{}
	h.mu.Unlock()
	if run != nil {
		run.end(errEnded)
	}
}

func (h *Helper) ask(ctx context.Context, op, key string, data []byte) ([]byte, error) {
	if len(data) == 0 || len(data) > maxData {
		return nil, &Error{Refused, "no key service takes that much, or nothing"}
	}
	run, err := h.running()
	if err != nil {
		return nil, &Error{Unavailable, err.Error()}
	}
	return run.ask(ctx, op, key, data)
}

// running returns the run of the program, and starts one if there is none.
func (h *Helper) running() (*conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.run != nil && (h.run.ended() == nil || time.Since(h.started) < restartPause) {
		return h.run, nil
	}
	path, err := h.path()
	if err != nil {
		return nil, err
	}
	h.run, err = start(path)
	h.started = time.Now()
	return h.run, err
}

// path returns the program's path. Whoever can write it has every key.
func (h *Helper) path() (string, error) {
	path := h.Path
	if path == "" {
		own, err := os.Executable()
		if err != nil {
			return "", fmt.Errorf("%s is not found: %w", Program, err)
		}
		path = filepath.Join(filepath.Dir(own), Program+filepath.Ext(own))
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("the program for key services is missing: %w", err)
	case !info.Mode().IsRegular():
		return "", fmt.Errorf("the program for key services, %s, is not a file", path)
	case info.Mode().Perm()&0o002 != 0:
		return "", fmt.Errorf(
			"everybody can change the program for key services: chmod o-w %s", path)
	}
	return path, nil
}

// start starts the program. Its end, or a breach of the protocol, ends the run.
func start(path string) (*conn, error) {
	var files []*os.File
	closeAll := func(all []*os.File) {
		for _, f := range all {
			_ = f.Close() // there is nothing to lose in a pipe
		}
	}
	for range 2 {
		r, w, err := os.Pipe()
		if err != nil {
			closeAll(files)
			return nil, fmt.Errorf("the program for key services: %w", err)
		}
		files = append(files, r, w)
	}
	theirs, ours := []*os.File{files[0], files[3]}, []*os.File{files[2], files[1]}
	// It outlives every request, and ends when its input does: also with this process.
	cmd := exec.Command(path) //nolint:noctx // the operator's own path, and no argument
	cmd.Env = environment(os.Environ())
	// What it writes to standard error goes nowhere: a panic could quote a key.
	cmd.Stdin, cmd.Stdout = theirs[0], theirs[1]
	err := cmd.Start()
	closeAll(theirs)
	if err != nil {
		closeAll(ours)
		return nil, fmt.Errorf("the program for key services does not start: %w", err)
	}
	return newConn(ours[0], ours[1], func() {
		_ = cmd.Process.Kill() // it may have ended
		closeAll(ours)
		_ = cmd.Wait() // how it ended is known
	}), nil
}

// environment leaves out what is for the server only: its own settings, and the token of the
// service that it asks itself.
func environment(all []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(variable string) bool {
		return strings.HasPrefix(variable, "KEYSAKE_") || strings.HasPrefix(variable, "VAULT_")
	})
}

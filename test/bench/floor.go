package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"

	"github.com/keysake/keysake/test/load"
)

const (
	floorPrefix = "floor is listening on "
	metricsPath = "/metrics"
)

// startFloor starts the bare net/http server.
func startFloor(ctx context.Context, s samples) (*load.Process, error) {
	p, err := startSelf(ctx, floorCommand, s)
	if err == nil {
		p.Metrics = "http://" + p.Address + metricsPath
	}
	return p, err
}

// startSelf starts this program again as a server, in a process of its own, with what it is to
// serve. It ends when its standard input does, and so with this process at the latest.
func startSelf(ctx context.Context, command string, with any) (*load.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	in, err := json.Marshal(with)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, command)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	go stdin.Write(append(in, '\n')) //nolint:errcheck // without it the server does not start
	return load.Start(cmd, "", floorPrefix)
}

// serveFloor answers with the samples and does nothing else.
func serveFloor(in io.Reader, out io.Writer) error {
	return serveSelf(in, out, func(s samples) (*http.Server, error) {
		//nolint:gosec // bare, and on loopback
		return &http.Server{Handler: http.HandlerFunc(s.answer)}, nil
	})
}

// serveSelf serves what [startSelf] was given.
func serveSelf[T any](in io.Reader, out io.Writer, newServer func(T) (*http.Server, error)) error {
	var with T
	if err := json.NewDecoder(in).Decode(&with); err != nil {
		return err
	}
	server, err := newServer(with)
	if err != nil {
		return err
	}
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, in)
		_ = socket.Close()
	}()
	if _, err := fmt.Fprintln(out, floorPrefix+socket.Addr().String()); err != nil {
		return err
	}
	serve := server.Serve
	if server.TLSConfig != nil {
		serve = func(l net.Listener) error { return server.ServeTLS(l, "", "") }
	}
	if err := serve(socket); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

func (s samples) answer(w http.ResponseWriter, r *http.Request) {
	status, body := http.StatusOK, s.Read
	switch {
	case r.Method == http.MethodPost:
		status, body = http.StatusCreated, s.Create
		_, _ = io.Copy(&bytes.Buffer{}, r.Body)
	case r.URL.Path == load.SecretsPath:
		body = s.List
	case r.URL.Path == metricsPath:
		body = allocations()
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// allocations are the metrics of which Keysake has more.
func allocations() []byte {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return fmt.Appendf(nil, "go_memstats_mallocs_total %d\ngo_memstats_alloc_bytes_total %d\n",
		m.Mallocs, m.TotalAlloc)
}

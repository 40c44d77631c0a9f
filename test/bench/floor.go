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

// startFloor starts the bare net/http server in a process of its own. It ends when its standard
// input does, and so with this process at the latest.
func startFloor(ctx context.Context, s samples) (*load.Process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	in, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, floorCommand)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	go stdin.Write(append(in, '\n')) //nolint:errcheck // without it the floor does not start
	p, err := load.Start(cmd, "", floorPrefix)
	if err == nil {
		p.Metrics = "http://" + p.Address + metricsPath
	}
	return p, err
}

// serveFloor answers with the samples and does nothing else.
func serveFloor(in io.Reader, out io.Writer) error {
	decoder := json.NewDecoder(in)
	var s samples
	if err := decoder.Decode(&s); err != nil {
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
	//nolint:gosec // bare, and on loopback
	server := http.Server{Handler: http.HandlerFunc(s.answer)}
	if err := server.Serve(socket); !errors.Is(err, net.ErrClosed) {
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

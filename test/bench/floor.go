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

	"github.com/keysake/keysake/test/load"
)

const floorPrefix = "floor is listening on "

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
	return load.Start(cmd, "", floorPrefix)
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
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// Package load runs the real server as a program and drives it with requests that are as cheap as
// they get. The benchmark and the soak are made of it.
package load

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A Process is a server under load.
type Process struct {
	Address string
	Data    string        // folder of Keysake
	Metrics string        // URL; empty for none
	Startup time.Duration // from its start to its first answer
	cmd     *exec.Cmd
	errors  *bytes.Buffer // what it wrote to standard error; whole when it has ended
}

// Build makes the binary that users get.
func Build(ctx context.Context, path string) error {
	cmd := exec.CommandContext(
		ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path,
		"github.com/keysake/keysake/cmd/keysake",
	)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	return nil
}

// StartServer starts Keysake on a folder, without limits and with metrics, and waits for its first
// answer. It makes what is missing, and an administrator with an API key.
func StartServer(ctx context.Context, binary, data string, flags ...string) (*Process, error) {
	return StartAnother(ctx, binary, data, append(flags, "--dev")...)
}

// StartAnother is StartServer for a database that another server has made.
func StartAnother(ctx context.Context, binary, data string, flags ...string) (*Process, error) {
	return StartWith(ctx, []string{}, binary, data, flags...)
}

// StartWith is StartAnother with an environment.
func StartWith(
	ctx context.Context, env []string, binary, data string, flags ...string,
) (*Process, error) {
	metrics, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, binary, append([]string{
		"serve", "--rate-limit", "0", "--user-rate-limit", "0",
		"--max-secrets", "10000000", "--listen", "127.0.0.1:0", "--data", data,
		"--admin-listen", metrics,
	}, flags...)...)
	cmd.Env = env // no setting but these
	p, err := Start(cmd, data, "Keysake is listening on http://")
	if err == nil {
		p.Metrics = "http://" + metrics + "/metrics"
	}
	return p, err
}

// freeAddress returns an address that was free a moment ago: the server does not print the one of
// its metrics.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	socket, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return socket.Addr().String(), socket.Close()
}

// Start runs a command that prints its address after prefix.
func Start(cmd *exec.Cmd, data, prefix string) (*Process, error) {
	p := &Process{cmd: cmd, Data: data, errors: &bytes.Buffer{}}
	cmd.Stderr = p.errors
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	lines := bufio.NewReader(stdout)
	line, err := lines.ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), prefix)
	if err != nil || !found {
		p.Kill()
		return nil, fmt.Errorf("%s did not start: %s", filepath.Base(cmd.Path), p.errors)
	}
	p.Address = address
	go io.Copy(io.Discard, lines) //nolint:errcheck // it ends with the process
	err = p.ready()
	p.Startup = time.Since(began)
	if err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// ready asks once: the socket is open when the address is printed.
func (p *Process) ready() error {
	//nolint:noctx // it ends with the process
	res, err := http.Get("http://" + p.Address + "/readyz")
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Stop asks for a graceful end.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(p.cmd.Path), err, p.errors)
	}
	return nil
}

// Kill ends a process that may have ended.
func (p *Process) Kill() {
	if p.cmd.ProcessState == nil && !errors.Is(p.cmd.Process.Kill(), os.ErrProcessDone) {
		_ = p.cmd.Wait() // killed: what it says is not of interest
	}
}

// Memory returns the resident memory in bytes, 0 where the system does not tell.
func (p *Process) Memory() int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "VmRSS:" {
			kib, _ := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10
		}
	}
	return 0
}

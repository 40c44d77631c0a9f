package crash_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// patience is how long anything may take before a test gives up. Nothing here is expected to take a
// hundredth of it.
const patience = 5 * time.Minute

// A process is a server that runs, or ran.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	data string
	out  *apptest.Buffer // for people
	logs *apptest.Buffer
	done chan struct{} // closed when it has ended

	url   string
	trust *x509.CertPool // of its certificate, with TLS
}

// launch starts a development server on the folder data, and does not wait for anything. change may
// be nil.
func launch(t *testing.T, data string, change func(*exec.Cmd), flags ...string) *process {
	t.Helper()
	args := append(
		[]string{
			"serve",
			"--dev",
			"--data",
			data,
			"--listen",
			"127.0.0.1:0",
			"--rate-limit",
			"0",
			"--max-secrets",
			"1000000",
		},
		flags...)
	p := &process{
		t:    t,
		cmd:  exec.Command(program, args...),
		data: data,
		out:  &apptest.Buffer{},
		logs: &apptest.Buffer{},
		done: make(chan struct{}),
	}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.logs
	p.cmd.Env = []string{"HOME=" + filepath.Dir(data)} // nothing of the developer's own settings
	if change != nil {
		change(p.cmd)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the exit code says it
	}()
	t.Cleanup(p.kill)
	return p
}

// start starts a development server on the folder data and waits until it listens.
func start(t *testing.T, data string, flags ...string) *process {
	t.Helper()
	return launch(t, data, nil, flags...).ready()
}

var listening = regexp.MustCompile(`(?m)^Keysake is listening on (\S+)$`)

// ready waits until the server listens.
func (p *process) ready() *process {
	p.t.Helper()
	p.until("listens", func() bool {
		found := listening.FindStringSubmatch(p.out.String())
		if found != nil {
			p.url = found[1]
		}
		return found != nil
	})
	return p
}

// until waits for something that the running server does.
func (p *process) until(what string, happened func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !happened(); {
		select {
		case <-p.done:
			p.t.Fatalf(
				"the server ended before it %s: exit code %d\n%s", what,
				p.cmd.ProcessState.ExitCode(), p.logs,
			)
		case <-time.After(time.Millisecond):
		}
		if time.Now().After(deadline) {
			p.t.Fatalf("the server never %s\n%s", what, p.logs)
		}
	}
}

// kill ends the process as the kernel does when there is no memory left. It may have ended already.
func (p *process) kill() {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("kill: %v", err)
	}
	<-p.done
}

// wait waits for the end of the process and returns its exit code, -1 if a signal ended it.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.t.Fatalf("the server does not end\n%s", p.logs)
	}
	return p.cmd.ProcessState.ExitCode()
}

// terminate asks the process to end.
func (p *process) terminate() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatal(err)
	}
}

// stop ends the process as an operator does.
func (p *process) stop() {
	p.t.Helper()
	p.terminate()
	if code := p.wait(); code != 0 {
		p.t.Fatalf("exit code %d, want 0\n%s", code, p.logs)
	}
}

// alive checks that the process has not ended.
func (p *process) alive() {
	p.t.Helper()
	select {
	case <-p.done:
		p.t.Fatalf("the server has ended: exit code %d\n%s", p.cmd.ProcessState.ExitCode(), p.logs)
	default:
	}
}

// devKey returns the API key of the user dev.
func (p *process) devKey() plaintext.Value {
	p.t.Helper()
	key, err := os.ReadFile(filepath.Join(p.data, "dev-api-key"))
	if err != nil {
		p.t.Fatal(err)
	}
	return plaintext.Own(key)
}

// host returns the address at which the server listens.
func (p *process) host() string {
	_, host, _ := strings.Cut(p.url, "://")
	return host
}

// client returns a client that presents key.
func (p *process) client(key plaintext.Value) *client.Client {
	p.t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 4}
	if p.trust != nil {
		transport.TLSClientConfig = &tls.Config{RootCAs: p.trust}
	}
	c, err := client.New(
		p.url, key, client.WithTransport(transport), client.WithRetries(0, 0)) // each is sent once
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// newUser makes a user, and returns the id and an API key.
func (p *process) newUser(name string) (id string, key plaintext.Value) {
	p.t.Helper()
	admin := p.client(p.devKey())
	user, err := admin.CreateUser(p.t.Context(), wire.CreateUser{Username: name})
	if err != nil {
		p.t.Fatal(err)
	}
	made, err := admin.CreateAPIKeyFor(p.t.Context(), user.ID, wire.CreateAPIKey{
		AllowedScopes: &[]string{
			"secrets:read", "secrets:write", "leases:write", "keys:write", "audit:read",
		},
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return user.ID, plaintext.FromString(made.Key)
}

// newData returns the path of a data folder that is not there yet.
func newData(t *testing.T) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "data")
}

// files returns the contents of a data folder's files, by name.
func files(t *testing.T, data string) map[string][]byte {
	t.Helper()
	found := map[string][]byte{}
	err := fs.WalkDir(os.DirFS(data), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		found[path], err = os.ReadFile(filepath.Join(data, path))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// wantLog checks that the log has some words.
func (p *process) wantLog(words string) {
	p.t.Helper()
	if !strings.Contains(p.logs.String(), words) {
		p.t.Errorf("the log does not say %q:\n%s", words, p.logs)
	}
}

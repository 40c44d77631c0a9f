package faults_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// patience is how long anything may take before a test gives up.
const patience = 5 * time.Minute

// connections is how many connections to the database a server may have.
const connections = 8

// A process is a server that runs, or ran. A server that was killed may be started again: it has
// the same address then, as one behind a supervisor has.
type process struct {
	t      *testing.T
	data   string
	listen string
	admin  string // where its metrics are
	flags  []string
	binary string
	ahead  time.Duration // its clock of this machine's: 0, but for programAhead

	database string // its URL, which may have a password

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	logs *apptest.Buffer
}

// startServers starts servers that share a database. The first one is a development server, which
// creates what the others need.
func startServers(t *testing.T, n int, url string, flags ...string) []*process {
	t.Helper()
	var all []*process
	for i := range n {
		data := filepath.Join(t.TempDir(), "data")
		more := []string{"--dev"}
		if i > 0 {
			apptest.Must(t, os.Mkdir(data, 0o700))
			more = []string{"--keys", filepath.Join(all[0].data, "keysake.keys")}
		}
		p := &process{
			t: t, data: data, listen: freeAddress(t), admin: freeAddress(t), binary: program,
			database: url, logs: &apptest.Buffer{},
		}
		p.flags = append([]string{
			"serve", "--data", data, "--listen", p.listen, "--admin-listen", p.admin,
			"--rate-limit", "0", "--user-rate-limit", "0", "--max-secrets", "1000000",
			"--database-connections", strconv.Itoa(connections),
		}, append(more, flags...)...)
		t.Cleanup(func() {
			p.kill()
			if t.Failed() {
				t.Logf("the log of %s:\n%s", p.listen, lastLines(p.logs.String()))
			}
		})
		p.start()
		all = append(all, p)
	}
	return all
}

// lastLines keeps the log of a failed test readable.
func lastLines(log string) string {
	const most = 60
	lines := strings.SplitAfter(log, "\n")
	return strings.Join(lines[max(0, len(lines)-most):], "")
}

// freeAddress returns an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	port, err := pgtest.FreePort()
	apptest.Must(t, err)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// start starts the server and waits until it listens. One that cannot start, because the database
// does not answer in time, is started again, as a supervisor does.
func (p *process) start() {
	p.t.Helper()
	for end := time.Now().Add(patience); !p.startOnce(); {
		if time.Now().After(end) {
			p.t.Fatalf("the server does not start:\n%s", lastLines(p.logs.String()))
		}
	}
}

func (p *process) startOnce() (listens bool) {
	p.t.Helper()
	out, cmd, done := &apptest.Buffer{}, exec.Command(p.binary, p.flags...), make(chan struct{})
	cmd.Stdout, cmd.Stderr = out, p.logs
	cmd.Env = []string{ // nothing of the developer's own settings
		"HOME=" + filepath.Dir(p.data), "KEYSAKE_DATABASE_URL=" + p.database,
		fmt.Sprintf("%s=%d", aheadVariable, p.ahead/time.Second),
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	apptest.Must(p.t, cmd.Start())
	go func() {
		defer close(done)
		_ = cmd.Wait() // the exit code says it
	}()
	p.mu.Lock()
	p.cmd, p.done = cmd, done
	p.mu.Unlock()
	for {
		select {
		case <-done:
			return false
		case <-time.After(5 * time.Millisecond):
		}
		if strings.Contains(out.String(), "Keysake is listening on ") {
			return true
		}
	}
}

// kill ends the process as the kernel does when there is no memory left. It may have ended.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("kill: %v", err)
	}
	<-p.done
}

// alive ends the test if the process has ended.
func (p *process) alive() {
	p.t.Helper()
	select {
	case <-p.done:
		p.t.Fatalf("the server has ended: exit code %d\n%s", p.cmd.ProcessState.ExitCode(),
			lastLines(p.logs.String()))
	default:
	}
}

// devKey returns the API key of the user dev.
func (p *process) devKey() plaintext.Value {
	p.t.Helper()
	key, err := os.ReadFile(filepath.Join(p.data, "dev-api-key"))
	apptest.Must(p.t, err)
	return plaintext.Own(key)
}

// config returns the settings of a command beside the server.
func (p *process) config(url string) config.Config {
	cfg := apptest.ConfigIn(filepath.Dir(p.data))
	cfg.DatabaseURL, cfg.DatabaseConnections = url, 4
	return cfg
}

// client returns a client of the server, which sends each request once.
func (p *process) client(key plaintext.Value) *client.Client {
	p.t.Helper()
	c, err := client.New("http://"+p.listen, key, client.WithRetries(0, 0),
		client.WithTransport(&http.Transport{MaxIdleConnsPerHost: 2}))
	apptest.Must(p.t, err)
	return c
}

var userScopes = []string{
	"secrets:read", "secrets:write", "leases:write", "keys:write", "audit:read",
}

// newUser makes a user with an API key.
func (p *process) newUser(name string) plaintext.Value {
	p.t.Helper()
	admin := p.client(p.devKey())
	user, err := admin.CreateUser(p.t.Context(), wire.CreateUser{Username: name})
	apptest.Must(p.t, err)
	made, err := admin.CreateAPIKeyFor(p.t.Context(), user.ID, wire.CreateAPIKey{
		AllowedScopes: &userScopes,
	})
	apptest.Must(p.t, err)
	return plaintext.FromString(made.Key)
}

// metric returns a number of the server's metrics.
func (p *process) metric(name string) (float64, error) {
	c := &http.Client{Timeout: patience}
	defer c.CloseIdleConnections()
	res, err := c.Get("http://" + p.admin + "/metrics")
	if err != nil {
		return 0, err
	}
	defer res.Body.Close()
	for lines := bufio.NewScanner(res.Body); lines.Scan(); {
		if text, found := strings.CutPrefix(lines.Text(), name+" "); found {
			return strconv.ParseFloat(text, 64)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

var whitespace = regexp.MustCompile(`\s+`)

// ready asks the probe whether the server can do its work.
func (p *process) ready() error {
	c := &http.Client{
		Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true},
	}
	res, err := c.Get("http://" + p.listen + "/readyz")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		var text [200]byte
		n, _ := res.Body.Read(text[:])
		return fmt.Errorf("%s: %s", res.Status, whitespace.ReplaceAllString(string(text[:n]), " "))
	}
	return nil
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, so func() error) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		err := so()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("it never came to be that %s: %v", what, err)
		}
	}
}

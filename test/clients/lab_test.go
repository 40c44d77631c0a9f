// Package clients_test runs programs that others wrote, as they are in the registries, with no key:
// through "keysake run --broker" and a server, to stand-ins for the providers that record what they
// get, over real TLS. All of them are pinned: in js/package-lock.json, in programs/go.mod, and by
// the release of Debian that curl, git and gh come from.
package clients_test

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/test/standin"
)

// patience is how long anything may take before a test gives up. Nothing here is expected to take a
// hundredth of it.
const patience = 2 * time.Minute

// keysake is the path of the program.
var keysake string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "clients-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	keysake = filepath.Join(dir, "keysake")
	if err := build("../..", keysake, "./cmd/keysake"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func build(dir, to, pkg string) error {
	cmd := exec.Command("go", "build", "-o", to, pkg)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}

// arrived is a request as a provider got it.
type arrived struct {
	method, host, line string
	header             http.Header
	body               string
}

func (a arrived) String() string { return a.method + " " + a.host + a.line }

// A lab is a server before a stand-in for all providers.
type lab struct {
	t         *testing.T
	provider  *standin.Provider
	data      string
	settings  []string // of the server, in its environment
	cmd       *exec.Cmd
	out, logs *apptest.Buffer
	url       string
	secrets   []string // values and placeholders: what must be in no file and log
	limits    []string // of the leases of runs

	brokerListen string // empty for any port

	mu  sync.Mutex
	got []arrived
}

// newLab starts a server whose providers give this answer.
func newLab(t *testing.T, answer http.HandlerFunc) *lab {
	t.Helper()
	l := &lab{t: t, data: filepath.Join(t.TempDir(), "data"), logs: &apptest.Buffer{}}
	var err error
	l.provider, err = standin.Start(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			l.mu.Lock()
			l.got = append(l.got, arrived{
				r.Method, r.Host, r.RequestURI, r.Header.Clone(), string(body),
			})
			l.mu.Unlock()
			r.Body = io.NopCloser(bytes.NewReader(body))
			answer(w, r)
		}))
	apptest.Must(t, err)
	t.Cleanup(func() { _ = l.provider.Close() })
	l.settings, err = l.provider.Environment(t.TempDir(), "api.openai.com", "api.anthropic.com",
		"api.github.com", "github.com")
	apptest.Must(t, err)
	t.Cleanup(l.check)
	l.start()
	return l
}

var listening = regexp.MustCompile(`(?m)^Keysake is listening on (\S+)$`)

// start starts the server, the first time or again at the same addresses.
func (l *lab) start() {
	l.t.Helper()
	listen := "127.0.0.1:0"
	if l.url != "" {
		listen = strings.TrimPrefix(l.url, "http://")
	}
	l.out = &apptest.Buffer{}
	l.cmd = exec.Command(keysake, "serve", "--dev", "--data", l.data, "--listen", listen,
		"--log-level", "debug", "--broker-listen", cmp.Or(l.brokerListen, "127.0.0.1:0"))
	l.cmd.Env = append([]string{"HOME=" + filepath.Dir(l.data)}, l.settings...)
	l.cmd.Stdout, l.cmd.Stderr = l.out, l.logs
	apptest.Must(l.t, l.cmd.Start())
	for end := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		if found := listening.FindStringSubmatch(l.out.String()); found != nil {
			l.url = found[1]
			return
		}
		if time.Now().After(end) {
			l.t.Fatalf("the server does not listen:\n%s", l.logs)
		}
	}
}

// check ends the server, and looks for values and placeholders in all that it leaves.
func (l *lab) check() {
	_ = l.cmd.Process.Signal(os.Interrupt)
	if err := l.cmd.Wait(); err != nil {
		l.t.Errorf("the server ended with %v", err)
	}
	left := map[string]string{"the output": l.out.String(), "the log": l.logs.String()}
	dir := filepath.Dir(l.data)
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		left[path] = string(text)
		return err
	})
	if err != nil {
		l.t.Error(err)
	}
	for what, text := range left {
		for i, secret := range l.secrets {
			if strings.Contains(text, secret) {
				l.t.Errorf("%s has secret %d", what, i)
			}
		}
	}
	if l.t.Failed() {
		l.t.Logf("the log:\n%s", l.logs)
	}
}

// requests returns what the providers got, and forgets it.
func (l *lab) requests() []arrived {
	l.mu.Lock()
	defer l.mu.Unlock()
	got := l.got
	l.got = nil
	return got
}

// command is the program with the API key of the user dev, and nothing of the developer's own
// settings.
func (l *lab) command(args ...string) *exec.Cmd {
	l.t.Helper()
	key, err := os.ReadFile(filepath.Join(l.data, "dev-api-key"))
	apptest.Must(l.t, err)
	cmd := exec.CommandContext(l.t.Context(), keysake, args...)
	cmd.Dir = l.t.TempDir()
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + cmd.Dir, "KEYSAKE_URL=" + l.url,
		"KEYSAKE_API_KEY=" + strings.TrimSpace(string(key)),
	}
	return cmd
}

// store stores a new key of a provider, and returns it.
func (l *lab) store(provider string) string {
	l.t.Helper()
	value := newKey(provider)
	cmd := l.command("secrets", "set", "--preset", provider)
	cmd.Stdin = strings.NewReader(value)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("%v:\n%s", err, out)
	}
	l.secrets = append(l.secrets, value)
	return value
}

// run runs a command with placeholders of these providers, and returns what it wrote and how it
// ended. change may be nil.
func (l *lab) run(providers []string, change func(*exec.Cmd), args ...string) (
	stdout, stderr string, code int,
) {
	l.t.Helper()
	flags := []string{"run", "--broker", "--no-mask"}
	for _, p := range providers {
		flags = append(flags, "--preset", p)
	}
	for _, limit := range l.limits {
		flags = append(flags, "--limit", limit)
	}
	cmd := l.command(append(append(flags, "--"), args...)...)
	if change != nil {
		change(cmd)
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); cmd.ProcessState == nil {
		l.t.Fatal(err)
	}
	l.secrets = append(l.secrets, placeholders.FindAllString(out.String(), -1)...)
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

var placeholders = regexp.MustCompile(`(?:sk-proj-|sk-ant-api03-|ghp_)[0-9A-Za-z]{71}`)

// A step is what a client reports of one thing that it does.
type step struct {
	Step   string            `json:"step"`
	Text   string            `json:"text,omitempty"`
	Error  string            `json:"error,omitempty"` // the type of the client's own
	Status int               `json:"status,omitempty"`
	Rule   string            `json:"rule,omitempty"`  // of a refusal of the broker's
	Calls  int               `json:"calls,omitempty"` // how often the client asked
	Env    map[string]string `json:"env,omitempty"`
}

// steps runs a client and returns what it reports, but for its environment, in which it must have
// a placeholder and no value.
func (l *lab) steps(provider, value string, args ...string) []step {
	l.t.Helper()
	out, errs, code := l.run([]string{provider}, nil, args...)
	if code != 0 {
		l.t.Fatalf("%s ended with %d:\n%s\n%s", args, code, out, errs)
	}
	return l.parse(value, out)
}

func (l *lab) parse(value, out string) []step {
	l.t.Helper()
	var all []step
	for line := range strings.Lines(out) {
		var s step
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			l.t.Fatalf("the client wrote %q: %v", line, err)
		}
		for name, text := range s.Env {
			if strings.Contains(text, value) {
				l.t.Errorf("the client has the key in %s", name)
			}
		}
		if s.Env != nil && !placeholders.MatchString(line) {
			l.t.Error("the client has no placeholder")
		}
		s.Env = nil
		all = append(all, s)
	}
	return all
}

// assertKeys checks that each request had the key in one place, and a placeholder nowhere. where
// returns the credential of a request as its provider reads it.
func (l *lab) assertKeys(got []arrived, value string, where func(arrived) string) {
	l.t.Helper()
	if len(got) == 0 {
		l.t.Error("the provider got nothing")
	}
	for _, a := range got {
		if where(a) != value {
			l.t.Errorf("%v: the key is not where the provider takes it", a)
		}
		all := a.host + "\n" + a.line + "\n" + a.body + "\n"
		for name, values := range a.header {
			for _, v := range values {
				all += name + ": " + v + "\n" + decoded(v) + "\n"
			}
		}
		if n := strings.Count(all, value); n != 1 {
			l.t.Errorf("%v: the key is in %d places", a, n)
		}
		if placeholders.MatchString(all) {
			l.t.Errorf("%v: a placeholder arrived", a)
		}
	}
}

// decoded returns what a header of Basic says.
func decoded(value string) string {
	encoded, _ := strings.CutPrefix(value, "Basic ")
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return ""
	}
	return string(text)
}

// bearer returns the credential of most providers.
func bearer(a arrived) string {
	return strings.TrimPrefix(a.header.Get("Authorization"), "Bearer ")
}

// newKey returns a key as a provider makes them. Unlike those of the alphabet of placeholders, it
// has underscores.
func newKey(provider string) string {
	part := func(n int) string {
		text := ""
		for len(text) < n {
			text += rand.Text()[:9] + "_"
		}
		return text[:n]
	}
	switch provider {
	case "openai":
		return "sk-proj-" + part(74) + "T3Blbk" + "FJ" + part(74)
	case "anthropic":
		return "sk-ant-api03-" + part(93) + "AA"
	}
	return "github_pat_" + rand.Text()[:22] + "_" + part(59)
}

package server_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// get asks without a key.
func get(t *testing.T, method, url string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	apptest.Must(t, err)
	resp, err := http.DefaultClient.Do(req)
	apptest.Must(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	apptest.Must(t, err)
	return resp.StatusCode, string(b)
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.Must(t, err)
	apptest.Must(t, l.Close())
	return l.Addr().String()
}

// startWithAdmin runs a server whose metrics are at the address that is returned.
func startWithAdmin(t *testing.T) (*apptest.Server, string) {
	t.Helper()
	admin := freeAddress(t)
	return apptest.Start(t, func(c *config.Config) { c.AdminListen = admin }), "http://" + admin
}

func TestTheProbesAnswerOnBothAddresses(t *testing.T) {
	t.Parallel()
	s, admin := startWithAdmin(t)
	for _, base := range []string{s.URL, admin} {
		for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
			if status, body := get(t, "GET", base+path); status != 200 || body != want {
				t.Errorf("GET %s: %d", path, status)
			}
			if status, body := get(t, "HEAD", base+path); status != 200 || body != "" {
				t.Errorf("HEAD %s: %d", path, status)
			}
		}
	}
	for _, path := range []string{
		"/healthz/", "/healthz/x", "/Healthz", "//healthz", "/readyz/.", "/metrics",
		"/debug/pprof/",
	} {
		if status, body := get(t, "GET", s.URL+path); status != 404 ||
			!strings.Contains(body, `"not_found_error"`) {
			t.Errorf("GET %s: %d, want a 404 in the envelope", path, status)
		}
	}
	if status, body := get(t, "POST", s.URL+"/healthz"); status != 404 ||
		!strings.Contains(body, `"not_found_error"`) {
		t.Errorf("POST /healthz: %d, want a 404 in the envelope", status)
	}
	if status, _ := get(t, "GET", admin+"/api/v1/health"); status != 404 {
		t.Errorf("the address of the metrics serves the API: %d", status)
	}
}

func TestAStartSaysWhatOtherUsersCanRead(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	s.Stop(t)
	if strings.Contains(s.Logs.String(), "other users") {
		t.Errorf("of a private folder it says:\n%s", s.Logs)
	}
	certFile, keyFile, _ := certificate(t)
	for path, mode := range map[string]os.FileMode{
		s.Data: 0o755, filepath.Join(s.Data, "keysake.db"): 0o640, keyFile: 0o604,
	} {
		apptest.Must(t, os.Chmod(path, mode))
	}
	s = apptest.Start(t, func(c *config.Config) {
		c.Data = s.Data
		c.TLSCert, c.TLSKey = certFile, keyFile
	})
	for _, want := range []string{
		s.Data + " has mode 0755", "keysake.db has mode 0640", keyFile + " has mode 0604",
	} {
		if !strings.Contains(s.Logs.String(), want) {
			t.Errorf("it does not say %q:\n%s", want, s.Logs)
		}
	}
}

// A held request is one whose body the server waits for.
type held struct {
	conn net.Conn
	in   *bufio.Reader
	rest string
}

// hold sends a request without its body, and waits until the server asks for that.
func hold(t *testing.T, s *apptest.Server, body string) held {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	apptest.Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = fmt.Fprintf(conn,
		"POST /api/v1/user/secrets HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer %s\r\n"+
			"Content-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
		s.Key.Reveal(), len(body))
	apptest.Must(t, err)
	in := bufio.NewReader(conn)
	line, err := in.ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "HTTP/1.1 100 ") {
		t.Fatalf("the server does not ask for the body: %q, %v", line, err)
	}
	_, err = in.ReadString('\n')
	apptest.Must(t, err)
	return held{conn, in, body}
}

// finish sends the rest and returns the answer's status.
func (h held) finish(t *testing.T) int {
	t.Helper()
	if _, err := io.WriteString(h.conn, h.rest); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(h.in, nil)
	apptest.Must(t, err)
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode
}

func TestAStopLetsARequestFinishAndSaysSo(t *testing.T) {
	t.Parallel()
	s, admin := startWithAdmin(t)
	h := hold(t, s, `{"name": "LAST", "value": "any-value"}`)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		s.Stop(t)
	}()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if status, body := get(t, "GET", admin+"/readyz"); status == 503 && body == "stopping\n" {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a server that stops says that it is ready")
		}
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
		if err != nil {
			break
		}
		_ = conn.Close()
		if time.Now().After(deadline) {
			t.Fatal("a server that stops takes new connections")
		}
	}
	if status := h.finish(t); status != 201 {
		t.Errorf("the request that ran was answered %d, want 201", status)
	}
	<-stopped
	again := s.Restart(t)
	if list, err := again.Client(t).ListSecrets(t.Context()); err != nil || list.Total != 1 ||
		list.Secrets[0].Name != "LAST" {
		t.Errorf("what was answered is not there: %d secrets, %v", list.Total, err)
	}
}

func TestARequestThatNeverFinishesIsCutOff(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) { c.ShutdownTimeout = 10 * time.Millisecond })
	h := hold(t, s, `{"name": "NEVER", "value": "any-value"}`)
	s.Stop(t)
	if b, err := io.ReadAll(h.in); err == nil && len(b) > 0 {
		t.Error("it was answered")
	}
	if !strings.Contains(s.Logs.String(), "cut off") {
		t.Error("the log does not say so")
	}
	if list, err := s.Restart(t).Client(t).ListSecrets(t.Context()); err != nil ||
		list.Total != 0 {
		t.Errorf("%d secrets, %v", list.Total, err)
	}
}

func TestARestartKeepsEverything(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	c := s.Client(t)
	made, err := c.CreateFromPreset(t.Context(), wire.CreateFromPreset{
		Provider: "openai", Value: plaintext.FromString("example-value-of-nobody-" + t.Name()),
	})
	apptest.Must(t, err)
	other := s.NewUser(t, "ada", "secrets:read")
	s.Stop(t)
	again := s.Restart(t)
	if string(again.Key.Reveal()) != string(s.Key.Reveal()) {
		t.Error("the user dev has another key")
	}
	got, err := again.Client(t).GetSecret(t.Context(), made.ID)
	apptest.Must(t, err)
	if diff := cmp.Diff(made, got); diff != "" {
		t.Errorf("the secret has changed:\n%s", diff)
	}
	if _, err := again.ClientWith(t, other).ListSecrets(t.Context()); err != nil {
		t.Errorf("another user's key: %v", err)
	}
	keys, err := again.Client(t).ListAPIKeys(t.Context())
	if err != nil || keys.Total != 1 || keys.APIKeys[0].LastUsedAt == nil {
		t.Errorf("%d keys, %v: what was used last was not written down", keys.Total, err)
	}
}

// wantNoStart checks the error of a server that must not start.
func wantNoStart(t *testing.T, err error, says string) {
	t.Helper()
	if !errors.Is(err, server.ErrCannotStart) || !strings.Contains(err.Error(), says) {
		t.Errorf("the error is %v, want one that says %q", err, says)
	}
}

func TestAnAddressThatIsTakenIsNoStart(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	apptest.Must(t, err)
	defer l.Close()
	for _, change := range []func(*config.Config){
		func(c *config.Config) { c.Listen = l.Addr().String() },
		func(c *config.Config) { c.AdminListen = l.Addr().String() },
	} {
		cfg := apptest.Config(t)
		change(&cfg)
		out := &apptest.Buffer{}
		wantNoStart(t, server.Run(t.Context(), cfg, nil, out, io.Discard), "address already in use")
		if out.String() != "" {
			t.Error("it said that it listens")
		}
		cfg.Listen, cfg.AdminListen = "127.0.0.1:0", ""
		apptest.StartWith(t, cfg) // and the folder is free again
	}
}

package server

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// opened returns a server that does not listen yet, on a new folder.
func opened(tb testing.TB, change ...func(*config.Config)) *server {
	tb.Helper()
	dir := filepath.Join(tb.TempDir(), "data")
	cfg := config.Config{
		Listen: "127.0.0.1:0", AdminListen: "127.0.0.1:0", Data: dir, Dev: true,
		MaxSecrets: 1e6, KeepVersions: 1, KeyCacheTTL: time.Hour, LogFormat: "text",
		ShutdownTimeout: 5 * time.Second,
	}
	for _, c := range change {
		c(&cfg)
	}
	i, err := instance.Open(tb.Context(), cfg, instance.NewKeys(cfg, nil), instance.Create)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := i.Close(); err != nil {
			tb.Error(err)
		}
	})
	if _, err := i.PrepareDev(tb.Context(), cfg); err != nil {
		tb.Fatal(err)
	}
	others, err := newOutside(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return newServer(cfg, i, slog.New(slog.DiscardHandler), new(countingWriter).lost.Load, nil,
		others)
}

// run lets the server serve until the test ends.
func run(tb testing.TB, s *server) {
	tb.Helper()
	if err := s.listen(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.serve(ctx, nil) }()
	tb.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			tb.Error(err)
		}
	})
}

func probe(s *server) (status int, body string) {
	w := httptest.NewRecorder()
	s.main.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	return w.Code, w.Body.String()
}

func TestAServerWithoutItsDatabaseIsNotReady(t *testing.T) {
	s := opened(t)
	if status, _ := probe(s); status != 200 {
		t.Fatalf("with it: %d", status)
	}
	if err := s.instance.Store.Close(); err != nil {
		t.Fatal(err)
	}
	if status, body := probe(s); status != 503 || body != "the database does not answer\n" {
		t.Errorf("without it: %d, %s", status, body)
	}
	w := httptest.NewRecorder()
	s.main.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/healthz", nil))
	if w.Code != 200 {
		t.Errorf("and it is not alive either: %d", w.Code)
	}
}

func TestAServerThatStopsIsNotReady(t *testing.T) {
	s := opened(t)
	s.stopping.Store(true)
	if status, body := probe(s); status != 503 || body != "stopping\n" {
		t.Errorf("%d, %s", status, body)
	}
}

func TestEveryPhaseOfAConnectionHasADeadline(t *testing.T) {
	s := opened(t)
	for name, srv := range map[string]*http.Server{"main": s.main, "admin": s.admin} {
		for phase, limit := range map[string]time.Duration{
			"headers": srv.ReadHeaderTimeout, "request": srv.ReadTimeout,
			"answer": srv.WriteTimeout, "idle": srv.IdleTimeout,
		} {
			if limit <= 0 || limit > 5*time.Minute {
				t.Errorf("%s, %s: %v", name, phase, limit)
			}
		}
		if srv.MaxHeaderBytes <= 0 || srv.MaxHeaderBytes > 64<<10 || srv.ErrorLog == nil ||
			!srv.DisableGeneralOptionsHandler {
			t.Errorf("%s: headers of %d bytes, log %v", name, srv.MaxHeaderBytes, srv.ErrorLog)
		}
	}
}

// Each client sends something and waits. The deadline of a body is that of its route.
func TestASlowClientIsDisconnectedAndOthersAreServed(t *testing.T) {
	s := opened(t)
	s.main.ReadHeaderTimeout, s.main.IdleTimeout = 100*time.Millisecond, 100*time.Millisecond
	run(t, s)
	dial := func(t *testing.T, text string) net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", s.mainSocket.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	const get = "GET /api/v1/health HTTP/1.1\r\nHost: test\r\n\r\n"
	const post = "POST /api/v1/user/secrets HTTP/1.1\r\nHost: test\r\n" +
		"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
	for name, text := range map[string]string{
		"nothing":                "",
		"half a request line":    "GET /api",
		"half its headers":       "GET /api/v1/health HTTP/1.1\r\nHost:",
		"one request":            get,
		"half of a second one":   get + "GET /api",
		"half of a chunked body": post + "20\r\n{\"name\":",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, text)
			if err := conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			_, err := io.Copy(io.Discard, conn)
			if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
				t.Error("the connection is still open")
			}
		})
	}
	resp, err := http.ReadResponse(bufio.NewReader(dial(t, get)), nil)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("another client is not served: %v", err)
	}
	_ = resp.Body.Close()
}

func TestAServerThatCannotPrintItsAddressDoesNotStart(t *testing.T) {
	s := opened(t)
	if err := s.instance.Close(); err != nil {
		t.Fatal(err)
	}
	err := Run(t.Context(), s.cfg, nil, brokenPipe{}, io.Discard)
	if !errors.Is(err, ErrCannotStart) || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the error is %v", err)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

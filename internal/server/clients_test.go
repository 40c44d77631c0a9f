package server_test

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/wire"
)

// dial opens a connection to a server in the clear, and sends text.
func dial(t *testing.T, s *apptest.Server, text string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	apptest.Must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	_, err = io.WriteString(conn, text)
	apptest.Must(t, err)
	return conn, bufio.NewReader(conn)
}

func TestAClientForWhomThereIsNoRoomIsToldSo(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) {
		c.MaxConnections, c.MaxConnectionsEach = 4, 4
	})
	var busy []held
	for range 4 {
		busy = append(busy, hold(t, s, "{}"))
	}
	_, from := dial(t, s, "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
	resp, err := http.ReadResponse(from, nil)
	apptest.Must(t, err)
	defer resp.Body.Close()
	var told wire.Problem
	apptest.Must(t, json.NewDecoder(resp.Body).Decode(&told))
	if resp.StatusCode != http.StatusServiceUnavailable || told.Code != resp.StatusCode ||
		told.Type != "unavailable_error" || !resp.Close {
		t.Errorf("it is told %d %+v", resp.StatusCode, told)
	}
	for _, h := range busy {
		h.finish(t)
	}
	if status, _ := get(t, "GET", s.URL+"/healthz"); status != 200 {
		t.Errorf("when there is room again: %d", status)
	}
}

func TestTheOldestThatWaitsMakesRoom(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t, func(c *config.Config) {
		c.MaxConnections, c.MaxConnectionsEach = 8, 4
	})
	const half = "GET /healthz HTTP/1.1\r\nHo"
	const rest = "st: test\r\n\r\n"
	first, fromFirst := dial(t, s, half)
	busy := hold(t, s, "{}")
	second, fromSecond := dial(t, s, half)
	dial(t, s, half)
	dial(t, s, half) // the fifth: the first makes room
	if _, err := fromFirst.ReadByte(); err == nil {
		t.Error("the oldest is still open")
	}
	_ = first.Close()
	_, err := io.WriteString(second, rest)
	apptest.Must(t, err)
	if line, err := fromSecond.ReadString('\n'); !strings.Contains(line, " 200 ") {
		t.Errorf("a younger one was closed: %q, %v", line, err)
	}
	if status := busy.finish(t); status != 422 {
		t.Errorf("one whose request is answered: %d", status)
	}
}

func TestStrangersCannotFillTheLog(t *testing.T) {
	t.Parallel()
	quiet := func(c *config.Config) { c.LogLevel = slog.LevelInfo }
	s := apptest.Start(t, quiet)
	secured, transports := startTLS(t, quiet)
	host := strings.TrimPrefix(secured.URL, "https://")
	const times = 100
	for range times {
		get(t, "GET", s.URL+"/api/v1/user/secrets")
		get(t, "POST", s.URL+"/api/v1/nowhere")
		conn, from := dial(t, s, "GET / HTTP/1.1\r\nA: "+strings.Repeat("a", 100<<10))
		_, _ = from.ReadString('\n') // 431
		_ = conn.Close()
		half, _ := dial(t, s, "GET / HT")
		_ = half.Close()
		if bad, err := tls.Dial("tcp", host, &tls.Config{ServerName: "unknown"}); err == nil {
			t.Error(bad.Close())
		}
	}
	_, err := s.Client(t).GetSecret(t.Context(), "no-id")
	if err == nil {
		t.Error("there is a secret without an id")
	}
	s.Stop(t)
	secured.Stop(t)
	for _, transport := range transports {
		transport.CloseIdleConnections()
	}
	for _, server := range []*apptest.Server{s, secured} {
		if n := strings.Count(server.Logs.String(), "\n"); n > 20 {
			t.Errorf("%d lines in the log:\n%s", n, server.Logs)
		}
	}
	for _, want := range []string{
		"requests without a valid API key were refused", "status_401=", "status_404=",
		"connections ended without a whole request", "status=422", // of one with a key
	} {
		if !strings.Contains(s.Logs.String(), want) {
			t.Errorf("the log does not say %q:\n%s", want, s.Logs)
		}
	}
	if !strings.Contains(secured.Logs.String(), "connections ended without a whole request") {
		t.Errorf("broken handshakes are not counted:\n%s", secured.Logs)
	}
}

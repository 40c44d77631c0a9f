package server

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/config"
)

// alone serves a broker without a server until the test ends.
func alone(t *testing.T) *server {
	t.Helper()
	made := opened(t, func(c *config.Config) { c.BrokerListen = "127.0.0.1:0" })
	s := &server{
		cfg: made.cfg, instance: made.instance, log: slog.New(slog.DiscardHandler),
		room: newRoom(made.cfg, true),
	}
	if err := s.listenAlone(t.Context(), new(countingWriter).lost.Load); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- s.serveAlone(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return s
}

func get(t *testing.T, socket net.Listener, path string) (status int, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(), http.MethodGet, "http://"+socket.Addr().String()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func TestABrokerThatIsAloneAnswersItsOperator(t *testing.T) {
	s := alone(t)
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "ready\n"} {
		if status, body := get(t, s.adminSocket, path); status != 200 || body != want {
			t.Errorf("%s: %d, %q", path, status, body)
		}
	}
	if status, _ := get(t, s.broker.socket, "/openai/v1/models"); status != 403 {
		t.Errorf("a request without a placeholder: %d", status)
	}
	_, body := get(t, s.adminSocket, "/metrics")
	for _, want := range []string{
		`keysake_broker_requests_total{outcome="missing",provider="openai"} 1`,
		"keysake_broker_open_requests 0", "keysake_broker_records_lost_total 0",
		"keysake_broker_echoes_total 0", "keysake_broker_unscrubbed_total 0",
	} {
		if !strings.Contains(body, "\n"+want+"\n") {
			t.Errorf("the metrics have no %s", want)
		}
	}
	// Programs that have a placeholder reach none of it.
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if status, body := get(t, s.broker.socket, path); status != 403 {
			t.Errorf("%s at the broker: %d, %s", path, status, body)
		}
	}
}

func TestABrokerThatIsAloneIsNotReadyWithoutItsDatabaseOrWhenItStops(t *testing.T) {
	s := alone(t)
	s.stopping.Store(true)
	if status, body := get(t, s.adminSocket, "/readyz"); status != 503 || body != "stopping\n" {
		t.Errorf("when it stops: %d, %s", status, body)
	}
	s.stopping.Store(false)
	if err := s.instance.Store.Close(); err != nil {
		t.Fatal(err)
	}
	const away = "the database does not answer\n"
	if status, body := get(t, s.adminSocket, "/readyz"); status != 503 || body != away {
		t.Errorf("without its database: %d, %s", status, body)
	}
	if status, _ := get(t, s.adminSocket, "/healthz"); status != 200 {
		t.Errorf("and it is not alive either: %d", status)
	}
}

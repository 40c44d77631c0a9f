package server

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/wire"
)

// brokers serves a broker before a provider until the test calls stop, after which all requests are
// recorded.
func (s *server) brokers(t *testing.T, provider http.HandlerFunc) (stop func()) {
	t.Helper()
	socket, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.cfg.BrokerURL = "http://" + socket.Addr().String()
	b := s.newBroker(socket, newProviderOf(t, "api.openai.com", provider), newMetrics(
		s.instance.Store.Stats, new(countingWriter).lost.Load))
	b.start(t.Context())
	go func() {
		if err := b.http.Serve(b.socket); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	return func() {
		if err := b.stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

func TestAKeyThatItsProviderRefusesAtTheBrokerIsProbedAtOnceAndShownAsInvalid(t *testing.T) {
	t.Parallel()
	says := &saying{outcome: catalog.OutcomeInvalid}
	s := opened(t, func(c *config.Config) { c.BrokerURL = "http://127.0.0.1:1" })
	s.instance.Vault.AskBy(says)
	stop := s.brokers(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, `{"error":{"code":"invalid_api_key"}}`)
	})
	w := s.newWatcher()
	pass := func() {
		t.Helper()
		if err := w.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.api(t, http.MethodPut, "/user/watch", map[string]int{"probe_every": 86400}, new(wire.Watch))
	pass() // there is nothing to probe, for an hour
	var secret wire.Secret
	s.api(t, http.MethodPost, "/user/secrets", map[string]string{
		"name": "KEY", "provider": "openai", "value": "any-value-of-22-letters",
	}, &secret)
	var lease wire.Lease
	s.api(t, http.MethodPost, "/user/leases", map[string]any{
		"secret_ids": []string{secret.ID}, "delivery": "broker",
	}, &lease)
	pass()
	if len(says.asked) != 0 {
		t.Fatal("the provider was asked before anything was refused")
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost,
		s.cfg.BrokerURL+"/openai/v1/responses", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+lease.Broker.Secrets[0].Placeholder)
	resp, err := http.DefaultClient.Do(r)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatalf("%v, %v", resp, err)
	}
	_ = resp.Body.Close()
	stop()
	var known wire.SecretHealth
	get := func(want string) {
		t.Helper()
		s.api(t, http.MethodGet, "/user/secrets/"+secret.ID+"/health", nil, &known)
		if !slices.Equal(known.Warnings, []string{want}) || known.RefusedAt == nil {
			t.Errorf("it is known %+v, want %s", known, want)
		}
	}
	get(wire.WarnSuspected)
	pass()
	get(wire.WarnInvalid)
	pass()
	if len(says.asked) != 1 {
		t.Errorf("the provider was asked %d times", len(says.asked))
	}
}

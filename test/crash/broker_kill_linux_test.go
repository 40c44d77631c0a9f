package crash_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func TestAServerThatIsKilledRemembersWhatWasRecordedOfALeasesUse(t *testing.T) {
	t.Parallel()
	pair, text, err := apptest.Pair("api.openai.com")
	apptest.Must(t, err)
	provider := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }))
	provider.TLS = &tls.Config{
		Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
	}
	provider.StartTLS()
	t.Cleanup(provider.Close)
	trusted := filepath.Join(t.TempDir(), "provider.pem")
	apptest.Must(t, os.WriteFile(trusted, text, 0o600))
	data := newData(t)
	serve := func() *process {
		return launch(t, data, func(c *exec.Cmd) {
			c.Env = append(c.Env, "SSL_CERT_FILE="+trusted)
		}, "--broker-listen", "127.0.0.1:0",
			"--egress-allow", "api.openai.com="+provider.Listener.Addr().String()).ready()
	}
	p := serve()
	c := p.client(p.devKey())
	secret, err := c.CreateFromPreset(t.Context(), wire.CreateFromPreset{
		Provider: "openai", Value: plaintext.FromString("a-value-of-nobody"),
	})
	apptest.Must(t, err)
	in := wire.CreateLease{
		SecretIDs: []string{secret.ID}, Delivery: wire.DeliveryBroker,
		Broker: &wire.BrokerLimits{Requests: new(int64(5))},
	}
	lease, err := c.CreateLease(t.Context(), in)
	apptest.Must(t, err)
	placeholder := lease.Broker.Secrets[0].Placeholder
	ask := func(broker string, want int) {
		t.Helper()
		r, err := http.NewRequestWithContext(
			t.Context(), http.MethodGet, broker+"/openai/v1/models", nil)
		apptest.Must(t, err)
		r.Header.Set("Authorization", "Bearer "+placeholder)
		resp, err := http.DefaultClient.Do(r)
		apptest.Must(t, err)
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != want {
			t.Errorf("%s, want %d: %v", resp.Status, want, err)
		}
	}
	for range 3 {
		ask(lease.Broker.URL, http.StatusOK)
	}
	p.until("recorded three requests", func() bool {
		found, err := c.LeaseRequests(t.Context(), lease.ID, client.RequestFilter{})
		return err == nil && len(found.Requests) == 3
	})
	p.kill()
	p = serve()
	another, err := p.client(p.devKey()).CreateLease(t.Context(), in) // which says where it is
	apptest.Must(t, err)
	ask(another.Broker.URL, http.StatusOK)
	ask(another.Broker.URL, http.StatusOK)
	ask(another.Broker.URL, http.StatusTooManyRequests)
}

package server_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

var providerPair = apptest.TrustedPair("api.openai.com", "hook.example.org")

// twoBrokers starts two servers on one database, with a broker each before one provider, whose path
// /v1/stream never ends.
func twoBrokers(t *testing.T) (first, second *client.Client, secret string) {
	t.Helper()
	provider := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, "data: 1\n\n")
			_ = http.NewResponseController(w).Flush()
			if strings.HasSuffix(r.URL.Path, "stream") {
				<-r.Context().Done()
			}
		}))
	provider.TLS = &tls.Config{
		Certificates: []tls.Certificate{providerPair}, MinVersion: tls.VersionTLS12,
	}
	provider.StartTLS()
	t.Cleanup(provider.Close)
	one, other, _ := twoServers(t, func(c *config.Config) {
		c.BrokerListen = "127.0.0.1:0"
		c.EgressAllow = apptest.Egress(provider.Listener.Addr().String(), "api.openai.com")
	})
	first, second = one.Client(t), other.Client(t)
	made, err := first.CreateFromPreset(t.Context(), wire.CreateFromPreset{
		Provider: "openai", Value: plaintext.FromString("a-value-of-nobody"),
	})
	apptest.Must(t, err)
	return first, second, made.ID
}

// A brokered lease, and the brokers of both servers.
type brokered struct {
	wire.Lease
	first, second string
}

func brokeredLease(
	t *testing.T, first, second *client.Client, secret string, limits *wire.BrokerLimits,
) brokered {
	t.Helper()
	in := wire.CreateLease{
		SecretIDs: []string{secret}, Delivery: wire.DeliveryBroker, Broker: limits,
	}
	made, err := first.CreateLease(t.Context(), in)
	apptest.Must(t, err)
	another, err := second.CreateLease(t.Context(), in)
	apptest.Must(t, err)
	return brokered{made, made.Broker.URL, another.Broker.URL}
}

// ask sends a request with the placeholder of the lease.
func (b brokered) ask(t *testing.T, broker, path string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(
		t.Context(), http.MethodGet, broker+"/openai/v1/"+path, nil)
	apptest.Must(t, err)
	r.Header.Set("Authorization", "Bearer "+b.Broker.Secrets[0].Placeholder)
	resp, err := http.DefaultClient.Do(r)
	apptest.Must(t, err)
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

func TestARevocationAtOneServerEndsTheStreamsOfTheOther(t *testing.T) {
	t.Parallel()
	first, second, secret := twoBrokers(t)
	l := brokeredLease(t, first, second, secret, nil)
	stream := l.ask(t, l.second, "stream")
	if stream.StatusCode != http.StatusOK {
		t.Fatal(stream.Status)
	}
	_, err := first.RevokeLease(t.Context(), l.ID)
	apptest.Must(t, err)
	text, err := io.ReadAll(stream.Body)
	if err == nil || !strings.HasPrefix(string(text), "data") {
		t.Errorf("the stream ended with %q, as if it were whole", text)
	}
	if got := l.ask(t, l.second, "models"); got.StatusCode != http.StatusForbidden {
		t.Errorf("after the end: %s", got.Status)
	}
}

func TestWhatALeaseUsedAtOneServerCountsAtTheOther(t *testing.T) {
	t.Parallel()
	first, second, secret := twoBrokers(t)
	l := brokeredLease(t, first, second, secret, &wire.BrokerLimits{Requests: new(int64(8))})
	passes := func(broker string) {
		t.Helper()
		resp := l.ask(t, broker, "models")
		if _, err := io.Copy(
			io.Discard,
			resp.Body,
		); err != nil ||
			resp.StatusCode != http.StatusOK {
			t.Fatalf("%s, %v", resp.Status, err)
		}
	}
	recorded := func(n int) {
		t.Helper()
		for {
			found, err := second.LeaseRequests(t.Context(), l.ID, client.RequestFilter{})
			apptest.Must(t, err)
			if len(found.Requests) >= n {
				return
			}
		}
	}
	passes(l.second) // which has what it knows of the lease in its memory from now on
	for range 4 {
		passes(l.first)
	}
	recorded(5)
	passes(l.second)
	recorded(6) // and the second knows of all of them
	passes(l.second)
	passes(l.second)
	if got := l.ask(t, l.second, "models"); got.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the ninth of eight: %s", got.Status)
	}
}

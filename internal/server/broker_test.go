package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/netguard"
)

// newProvider returns a provider that says what credential it got, and who connects to it in place
// of a host.
func newProvider(t *testing.T, host string) *netguard.Guard {
	t.Helper()
	return newProviderOf(t, host, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		length := len(r.Header.Get("Authorization"))
		_, _ = fmt.Fprintf(w, "%s %s %d\n", r.Host, r.RequestURI, length)
		_ = http.NewResponseController(w).Flush()
		if strings.HasSuffix(r.URL.Path, "stream") {
			<-r.Context().Done()
		}
	})
}

// newProviderOf is newProvider for one that answers as a test says.
func newProviderOf(t *testing.T, host string, answer http.HandlerFunc) *netguard.Guard {
	t.Helper()
	provider := httptest.NewUnstartedServer(answer)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), DNSNames: []string{host}, IsCA: true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	provider.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS12,
	}
	provider.StartTLS()
	t.Cleanup(provider.Close)
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return netguard.New(netguard.Options{
		Hosts: map[string]netip.AddrPort{
			host: netip.MustParseAddrPort(provider.Listener.Addr().String()),
		},
		Roots: roots,
	})
}

// api sends a request of the user dev.
func (s *server) api(t *testing.T, method, path string, in, out any) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(s.cfg.Data, "dev-api-key"))
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, "/api/v1"+path, bytes.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(key)))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	s.main.Handler.ServeHTTP(w, r)
	if w.Code/100 != 2 || json.Unmarshal(w.Body.Bytes(), out) != nil {
		t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
	}
}

func TestAProgramUsesAKeyThatItNeverHasUntilItsLeaseIsRevoked(t *testing.T) {
	s := opened(t, func(c *config.Config) { c.BrokerURL = "http://127.0.0.1:1" })
	socket, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.broker = s.newBroker(socket, newProvider(t, "api.openai.com"), newMetrics(
		s.instance.Store.Stats, new(countingWriter).lost.Load))
	run(t, s)
	const value = "key-of-22-characters-x"
	var secret struct {
		Secret struct{ ID string }
		ID     string
	}
	s.api(t, http.MethodPost, "/user/secrets/preset",
		map[string]string{"provider": "openai", "value": value}, &secret)
	var lease struct {
		ID     string
		Broker struct {
			Secrets []struct{ Placeholder string }
		}
	}
	s.api(t, http.MethodPost, "/user/leases", map[string]any{
		"secret_ids": []string{secret.ID + secret.Secret.ID}, "delivery": "broker",
	}, &lease)
	placeholder := lease.Broker.Secrets[0].Placeholder
	ask := func(path string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"http://"+socket.Addr().String()+"/openai/v1/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+placeholder)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = resp.Body.Close() })
		return resp
	}
	got, err := io.ReadAll(ask("models?x=y").Body)
	want := fmt.Sprintf("api.openai.com /v1/models?x=y %d\n", len("Bearer ")+len(value))
	if string(got) != want || err != nil {
		t.Fatalf("%q, want %q: %v", got, want, err)
	}
	stream := ask("stream")
	s.api(t, http.MethodDelete, "/user/leases/"+lease.ID, nil, &struct{}{})
	if _, err := io.ReadAll(stream.Body); err == nil {
		t.Error("the stream ends as if it were whole")
	}
	refused := ask("models")
	if refused.StatusCode != http.StatusForbidden ||
		!strings.Contains(refused.Header.Get("Keysake-Broker"), "rule=placeholder") {
		t.Errorf("after the end: %d %v", refused.StatusCode, refused.Header)
	}
	var recorded struct {
		Requests []struct {
			Method, Host, Path, Refused string
			Status                      int
		}
	}
	for len(recorded.Requests) < 3 { // they are recorded after they were answered
		time.Sleep(10 * time.Millisecond)
		s.api(t, http.MethodGet, "/user/leases/"+lease.ID+"/requests", nil, &recorded)
	}
	var all []string
	for _, r := range recorded.Requests {
		all = append(all, fmt.Sprint(r.Method, " ", r.Host, r.Path, " ", r.Status, " ", r.Refused))
	}
	text := strings.Join(all, "\n")
	for _, line := range []string{
		"GET api.openai.com/v1/models 200 ", "GET api.openai.com/v1/stream 200 ",
		"403 placeholder",
	} {
		if !strings.Contains(text, line) || strings.Contains(text, value) {
			t.Errorf("recorded:\n%s", text)
		}
	}
}

func TestTheBrokerOfADevelopmentServerIsBesideIt(t *testing.T) {
	for listen, want := range map[string]string{
		"127.0.0.1:8420": "127.0.0.1:8421", "localhost:9": "127.0.0.1:10",
		"127.0.0.1:0": "127.0.0.1:0", "127.0.0.1:65535": "127.0.0.1:0", "[::1]:7": "127.0.0.1:8",
	} {
		if got := nextPort(listen); got != want {
			t.Errorf("%s: %s, want %s", listen, got, want)
		}
	}
	for _, c := range []struct {
		cfg     config.Config
		listens bool
		url     string
	}{
		{config.Config{Listen: "127.0.0.1:8420"}, false, ""},
		{config.Config{Listen: "127.0.0.1:0", Dev: true}, true, "http://127.0.0.1:"},
		{config.Config{BrokerListen: "127.0.0.1:0"}, true, "http://127.0.0.1:"},
		{config.Config{BrokerListen: "127.0.0.1:0", BehindTLSProxy: true}, true, ""},
		{config.Config{BrokerListen: "127.0.0.1:0", BrokerURL: "https://b.example"}, true, "https://b.example"},
	} {
		socket, err := listenBroker(t.Context(), &c.cfg)
		if err != nil || (socket != nil) != c.listens ||
			!strings.HasPrefix(c.cfg.BrokerURL, c.url) ||
			c.url == "" && c.cfg.BrokerURL != "" {
			t.Errorf("%+v: %v", c.cfg, err)
		}
		if socket != nil {
			_ = socket.Close()
		}
	}
}

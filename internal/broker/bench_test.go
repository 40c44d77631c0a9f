package broker_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/broker"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// BenchmarkRequest compares the broker with a bare proxy and with no proxy, by small requests of
// many clients: -cpu sets how many.
func BenchmarkRequest(b *testing.B) {
	provider := httptest.NewTLSServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, strings.Repeat(`{"id":"chatcmpl-1","ok":true}`, 20))
		}))
	defer provider.Close()
	at := netip.MustParseAddrPort(provider.Listener.Addr().String())
	roots := provider.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	known, err := catalog.Load()
	if err != nil {
		b.Fatal(err)
	}
	insecure := netguard.New(netguard.Options{
		Hosts: map[string]netip.AddrPort{"example.com": at}, Roots: roots,
	}).Transport()
	defer insecure.CloseIdleConnections()
	bare := httptest.NewServer(&httputil.ReverseProxy{
		Transport: insecure,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(&url.URL{Scheme: "https", Host: "example.com"})
		},
	})
	defer bare.Close()
	placeholder := "sk-proj-" + strings.Repeat("a", 71)
	g := &grants{live: map[string]vault.Grant{placeholder: {
		User: uuid.New(), Lease: uuid.New(), Secret: uuid.New(), Provider: "openai", Version: 1,
		Value: plaintext.FromString("key-" + randomText(160)), ExpiresAt: time.Now().Add(time.Hour),
	}}}
	brokered := broker.New(broker.Options{
		Grants: g, Catalog: known, Upstream: renamed{insecure}, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	go brokered.Run(ctx)
	front := httptest.NewServer(brokered)
	defer front.Close()
	for _, c := range []struct{ name, url string }{
		{"bare", bare.URL + "/v1/x"}, {"broker", front.URL + "/openai/v1/x"},
	} {
		b.Run(c.name, func(b *testing.B) {
			transport := &http.Transport{MaxIdleConnsPerHost: 64}
			defer transport.CloseIdleConnections()
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, _ := http.NewRequest(
						http.MethodPost,
						c.url,
						strings.NewReader(`{"model":"m"}`),
					)
					r.Header.Set("Authorization", "Bearer "+placeholder)
					resp, err := transport.RoundTrip(r)
					if err != nil {
						b.Error(err)
						return
					}
					_, _ = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
				}
			})
		})
	}
}

// renamed sends everything to the name that the certificate of a test server has.
type renamed struct{ next http.RoundTripper }

func (t renamed) RoundTrip(r *http.Request) (*http.Response, error) {
	r.URL.Host = "example.com"
	return t.next.RoundTrip(r)
}

package broker_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/broker"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// grants are leases in memory.
type grants struct {
	mu        sync.Mutex
	live      map[string]vault.Grant
	fault     error
	asked     int
	recorded  []vault.BrokeredRequest
	elsewhere vault.BrokerUse // what other servers recorded of each lease
}

func (g *grants) Grant(_ context.Context, p plaintext.Value) (vault.Grant, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked++
	if g.fault != nil {
		return vault.Grant{}, g.fault
	}
	grant, found := g.live[string(p.Reveal())]
	if !found {
		return vault.Grant{}, &vault.Error{Kind: vault.Unauthenticated}
	}
	if grant.Why != "" {
		return grant, &vault.Error{Kind: vault.Unauthenticated}
	}
	return grant, nil
}

func (g *grants) RecordBrokered(
	_ context.Context, all []vault.BrokeredRequest,
) (map[uuid.UUID]vault.BrokerUse, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.recorded = append(g.recorded, all...)
	uses := map[uuid.UUID]vault.BrokerUse{}
	for _, r := range all {
		uses[r.Lease] = g.elsewhere
	}
	for _, r := range g.recorded {
		if _, asked := uses[r.Lease]; asked {
			uses[r.Lease] = uses[r.Lease].Plus(r.Use())
		}
	}
	return uses, nil
}

// A lease is one placeholder with its value.
type lease struct {
	placeholder string
	value       string
	id          uuid.UUID
}

// lease makes a lease of one secret.
func (s *site) lease(provider string, change ...func(*vault.Grant)) lease {
	s.t.Helper()
	entry, found := s.catalog.Entry(provider)
	if !found {
		s.t.Fatalf("there is no %s", provider)
	}
	template := entry.Client.Placeholder
	if template == "" {
		template = "ksp_{lease}"
	}
	l := lease{
		strings.ReplaceAll(template, "{lease}", randomText(71)), "key-" + randomText(40),
		uuid.New(),
	}
	g := vault.Grant{
		User: uuid.New(), Lease: l.id, Secret: uuid.New(), Provider: provider, Version: 1,
		Value: plaintext.FromString(l.value), ExpiresAt: time.Now().Add(time.Hour),
	}
	for _, c := range change {
		c(&g)
	}
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	s.grants.live[l.placeholder] = g
	return l
}

// change changes what a placeholder stands for.
func (s *site) change(l lease, change func(*vault.Grant)) {
	s.grants.mu.Lock()
	defer s.grants.mu.Unlock()
	g := s.grants.live[l.placeholder]
	change(&g)
	s.grants.live[l.placeholder] = g
}

func (s *site) revoke(l lease) { s.change(l, func(g *vault.Grant) { g.Why = "revoked" }) }

// records stops the broker and returns what it recorded.
func (s *site) records() []vault.BrokeredRequest {
	s.stop()
	return s.grants.recorded
}

func randomText(n int) string {
	text := make([]byte, 0, n)
	for len(text) < n {
		text = append(text, rand.Text()...)
	}
	return string(text[:n])
}

// A site is a broker before a stand-in for all providers.
type site struct {
	*httptest.Server

	t        *testing.T
	broker   *broker.Broker
	catalog  *catalog.Catalog
	grants   *grants
	provider *httptest.Server
	roots    *x509.CertPool // who signed the providers' certificates
	stop     func()
	observed func() // is called at the end of each request

	mu  sync.Mutex
	got []arrived
}

// arrived is a request as the provider got it.
type arrived struct {
	method, host, line string
	header             http.Header
	body               string
	proto              int
}

// start serves a broker over HTTP/1 and, in clear text, HTTP/2, with presets of an operator's own.
// The provider speaks both.
func start(t *testing.T, answer http.HandlerFunc, own ...catalog.Entry) *site {
	t.Helper()
	return startBefore(t, answer, true, own...)
}

// startBefore is start with a provider that speaks HTTP/2 or not.
func startBefore(
	t *testing.T, answer http.HandlerFunc, two bool, own ...catalog.Entry,
) *site {
	t.Helper()
	s := &site{t: t, grants: &grants{live: map[string]vault.Grant{}}, observed: func() {}}
	var err error
	if s.catalog, err = catalog.Load(); err == nil {
		s.catalog, err = s.catalog.With(own)
	}
	if err != nil {
		t.Fatal(err)
	}
	certificate, roots := newAuthority(t)
	s.provider = httptest.NewUnstartedServer(answer)
	s.provider.TLS = &tls.Config{GetCertificate: certificate}
	s.provider.EnableHTTP2 = two
	s.provider.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.provider.StartTLS()
	t.Cleanup(s.provider.Close)
	at := netip.MustParseAddrPort(s.provider.Listener.Addr().String())
	hosts := map[string]netip.AddrPort{}
	for _, p := range s.catalog.Presets() {
		entry, _ := s.catalog.Entry(p.ID)
		for _, a := range entry.Attach {
			for _, h := range a.Hosts {
				for _, id := range entry.NeededParams() {
					h = strings.ReplaceAll(h, "{"+id+"}", paramOf(id))
				}
				h, _ = entry.FillHost(h, nil)
				hosts[strings.Replace(h, "*.", "any.", 1)] = at
			}
		}
	}
	hosts["other.example"] = at
	guard := netguard.New(netguard.Options{Hosts: hosts, Roots: roots})
	upstream := guard.Transport()
	s.roots = roots
	t.Cleanup(upstream.CloseIdleConnections)
	s.broker = broker.New(broker.Options{
		Grants: s.grants, Catalog: s.catalog, Upstream: upstream,
		Log: slog.New(slog.DiscardHandler), Dial: guard.DialContext,
		Observe: func(string, string) { s.observed() },
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.broker.Run(ctx) })
	s.stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(s.stop)
	s.Server = httptest.NewUnstartedServer(s.broker)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Config.DisableGeneralOptionsHandler = true
	s.Config.Protocols = new(http.Protocols)
	s.Config.Protocols.SetHTTP1(true)
	s.Config.Protocols.SetUnencryptedHTTP2(true)
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(s.CloseClientConnections)
	return s
}

// remember is an answer that repeats nothing, and remembers what came.
func (s *site) remember(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, arrived{
		r.Method, r.Host, r.RequestURI, r.Header.Clone(), string(body), r.ProtoMajor,
	})
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"ok":true}`)
}

// startRemembering is start with a provider that remembers.
func startRemembering(t *testing.T) *site {
	t.Helper()
	var s *site
	s = start(t, func(w http.ResponseWriter, r *http.Request) { s.remember(w, r) })
	return s
}

// last returns the last request that the provider got, and forgets all.
func (s *site) last() (arrived, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.got) == 0 {
		return arrived{}, false
	}
	last := s.got[len(s.got)-1]
	s.got = nil
	return last, true
}

// An answer is what a client got.
type answer struct {
	status int
	header http.Header
	body   string
}

// rule returns the rule by which the broker refused.
func (a answer) rule() string {
	_, rest, _ := strings.Cut(a.header.Get("Keysake-Broker"), "rule=")
	rule, _, _ := strings.Cut(rest, ";")
	return rule
}

// ask sends a request whose line is exactly as given.
func (s *site) ask(method, line string, h http.Header, body io.Reader) answer {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.URL, body)
	if err != nil {
		s.t.Fatal(err)
	}
	path, query, hasQuery := strings.Cut(line, "?")
	r.URL.Opaque, r.URL.RawQuery, r.URL.ForceQuery = path, query, hasQuery
	r.Header = h
	resp, err := s.Client().Transport.RoundTrip(r)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, line, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, line, err)
	}
	return answer{resp.StatusCode, resp.Header, string(text)}
}

func bearer(
	l lease,
) http.Header {
	return http.Header{"Authorization": {"Bearer " + l.placeholder}}
}

// newAuthority returns who signs a certificate for every name, and who trusts it.
func newAuthority(t *testing.T) (
	func(*tls.ClientHelloInfo) (*tls.Certificate, error), *x509.CertPool,
) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	var mu sync.Mutex
	made := map[string]*tls.Certificate{}
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		mu.Lock()
		defer mu.Unlock()
		if c := made[hello.ServerName]; c != nil {
			return c, nil
		}
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(2), NotBefore: root.NotBefore, NotAfter: root.NotAfter,
			DNSNames: []string{hello.ServerName},
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, parsed, key.Public(), key)
		if err != nil {
			return nil, fmt.Errorf("certificate: %w", err)
		}
		made[hello.ServerName] = &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
		return made[hello.ServerName], nil
	}, pool
}

// contains reports whether a request has a text anywhere.
func (a arrived) contains(text string) bool {
	all := a.host + a.line + a.body
	for name, values := range a.header {
		all += name + strings.Join(values, "")
	}
	return strings.Contains(all, text)
}

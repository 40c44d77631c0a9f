package broker_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// withGranted gives a lease its own secret, and those of other providers.
func withGranted(openEgress bool, providers ...string) func(*vault.Grant) {
	return func(g *vault.Grant) {
		g.Limits.OpenEgress = openEgress
		for _, p := range append(providers, g.Provider) {
			g.Granted = append(g.Granted, vault.GrantedSecret{Provider: p})
		}
	}
}

// authority returns who a program of a lease trusts.
func (s *site) authority(l lease) (*x509.CertPool, *x509.Certificate) {
	s.t.Helper()
	got := s.ask("GET", "/-/ca.pem", bearer(l), nil)
	block, _ := pem.Decode([]byte(got.body))
	if got.status != 200 || block == nil {
		s.t.Fatal(got)
	}
	root := must(x509.ParseCertificate(block.Bytes))
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return pool, root
}

// through returns a transport that takes the broker for its proxy.
func (s *site) through(l lease, trust *x509.CertPool, two bool) *http.Transport {
	proxy := must(url.Parse(s.URL))
	proxy.User = url.UserPassword("keysake", l.placeholder)
	t := &http.Transport{
		Proxy:           http.ProxyURL(proxy),
		TLSClientConfig: &tls.Config{RootCAs: trust}, ForceAttemptHTTP2: two,
	}
	s.t.Cleanup(t.CloseIdleConnections)
	return t
}

func get(t *http.Transport, url string, h http.Header) (string, error) {
	r := must(http.NewRequest(http.MethodGet, url, nil))
	r.Header = h
	resp, err := t.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return fmt.Sprint(resp.StatusCode, " ", resp.Proto, " ", string(body)), err
}

// established reads the answer of a proxy, which has no body, and returns its status and rule.
func established(r *bufio.Reader) string {
	resp := must(http.ReadResponse(r, &http.Request{Method: http.MethodConnect}))
	_ = resp.Body.Close()
	return fmt.Sprint(resp.StatusCode, " ", answer{header: resp.Header}.rule())
}

func TestAProgramWithFixedHostsGetsItsKeyThroughAProxy(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai", withGranted(false))
	trust, _ := s.authority(l)
	for _, two := range []bool{false, true} {
		got, err := get(s.through(l, trust, two), "https://api.openai.com/v1/models?a=b", bearer(l))
		proto := map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"}[two]
		if err != nil || got != "200 "+proto+` {"ok":true}` {
			t.Errorf("%s: %v", got, err)
		}
		arrived, _ := s.last()
		if arrived.line != "/v1/models?a=b" || arrived.host != "api.openai.com" ||
			arrived.header.Get("Authorization") != "Bearer "+l.value {
			t.Errorf("%+v", arrived)
		}
	}
	proxied := s.through(l, trust, true)
	other := s.lease("openai", withGranted(false))
	for name, c := range map[string]struct {
		h    http.Header
		host string
		rule string
	}{
		"no placeholder":   {http.Header{}, "", "missing"},
		"another host":     {bearer(l), "github.com", "host"},
		"of another lease": {bearer(other), "", "mismatch"},
	} {
		r := must(http.NewRequest(http.MethodGet, "https://api.openai.com/v1/models", nil))
		r.Header, r.Host = c.h, c.host
		resp, err := proxied.RoundTrip(r)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = resp.Body.Close()
		if rule := (answer{header: resp.Header}).rule(); rule != c.rule {
			t.Errorf("%s: %q", name, rule)
		}
		if _, any := s.last(); any {
			t.Errorf("%s: the provider was asked", name)
		}
	}
}

func TestAProxyOpensTheHostsOfItsLeaseAlone(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai", withGranted(false, "github"))
	open := s.lease("openai", withGranted(true))
	trust, root := s.authority(l)
	connect := func(l lease, target, more string) string {
		conn := must(net.Dial("tcp", s.Listener.Addr().String()))
		defer conn.Close()
		auth := ""
		if l.placeholder != "" {
			auth = "Proxy-Authorization: " + basic("x", l.placeholder) + "\r\n"
		}
		_, _ = fmt.Fprintf(
			conn,
			"CONNECT %s HTTP/1.1\r\nHost: %s\r\n%s%s\r\n",
			target,
			target,
			auth,
			more,
		)
		return established(bufio.NewReader(conn))
	}
	unknown := lease{placeholder: "sk-proj-" + strings.Repeat("a", 71)}
	for _, c := range []struct {
		lease        lease
		target, want string
	}{
		{l, "api.openai.com:443", "200 "},
		{l, "github.com:443", "200 "},
		{l, "api.openai.com:80", "403 host"},
		{l, "api.anthropic.com:443", "403 host"},
		{l, "other.example:443", "403 host"},
		{l, "169.254.169.254:443", "403 host"},
		{l, "API.openai.com:443", "403 host"},
		{l, "api.openai.com.:443", "403 host"},
		{l, "api.openai.com", "400 target"},
		{lease{}, "api.openai.com:443", "407 "},
		{unknown, "api.openai.com:443", "403 placeholder"},
		{open, "other.example:443", "200 "},
		{open, "169.254.169.254:80", "403 address"},
		{open, "localhost:443", "403 address"},
		{open, "[::1]:443", "403 address"},
		{open, "2130706433:443", "403 address"},
	} {
		if got := connect(c.lease, c.target, ""); got != c.want {
			t.Errorf("%s: %s, want %s", c.target, got, c.want)
		}
	}
	// What is passed on untouched has the provider's own certificate.
	got, err := get(s.through(open, s.roots, true), "https://other.example/any", http.Header{})
	if err != nil || !strings.HasPrefix(got, "200 HTTP/2.0") {
		t.Errorf("%s: %v", got, err)
	}
	if _, err := get(s.through(open, trust, true), "https://other.example/any", nil); err == nil {
		t.Error("the broker looks into what it has no key for")
	}
	want := []string{"api.github.com", "raw.githubusercontent.com", "github.com", "api.openai.com"}
	if fmt.Sprint(root.PermittedDNSDomains) != fmt.Sprint(want) ||
		!root.PermittedDNSDomainsCritical || len(root.ExcludedIPRanges) != 2 ||
		!root.MaxPathLenZero || time.Until(root.NotAfter) > time.Hour {
		t.Errorf("the authority is for %v", root.PermittedDNSDomains)
	}
}

func TestATunnelWhoseNamesDisagreeReachesNoProvider(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai", withGranted(false, "github"))
	trust, _ := s.authority(l)
	// Each name is in the target, in Host, in the handshake, in the line and in Host inside.
	const own, other = "api.openai.com", "api.github.com"
	for name, c := range map[string]struct{ target, host, hello, line, inside, want string }{
		"none":               {own, own, own, "/v1/models", own, "200 "},
		"Host of CONNECT":    {own, other, own, "/v1/models", own, "200 "}, // it says nothing
		"handshake":          {own, own, other, "/v1/models", own, "no handshake"},
		"Host inside":        {own, own, own, "/v1/models", other, "403 host"},
		"URL inside":         {own, own, own, "https://" + other + "/user", own, "400 target"},
		"URL and Host there": {own, own, own, "https://" + own + "/v1/models", own, "400 target"},
	} {
		conn := must(net.Dial("tcp", s.Listener.Addr().String()))
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n"+
			"Proxy-Authorization: %s\r\n\r\n", c.target, c.host, basic("x", l.placeholder))
		got := established(bufio.NewReader(conn))
		secure := tls.Client(conn, &tls.Config{RootCAs: trust, ServerName: c.hello})
		switch {
		case got != "200 ":
		case secure.HandshakeContext(t.Context()) != nil:
			got = "no handshake"
		default:
			_, _ = fmt.Fprintf(secure, "GET %s HTTP/1.1\r\nHost: %s\r\n"+
				"Authorization: Bearer %s\r\n\r\n", c.line, c.inside, l.placeholder)
			resp := must(http.ReadResponse(bufio.NewReader(secure), nil))
			_ = resp.Body.Close()
			got = fmt.Sprint(resp.StatusCode, " ", answer{header: resp.Header}.rule())
		}
		_, asked := s.last()
		if got != c.want || asked != (c.want == "200 ") {
			t.Errorf("%s: %s, want %s; the provider was asked: %v", name, got, c.want, asked)
		}
	}
}

func TestWhatGoesThroughAProxyEndsWithItsLease(t *testing.T) {
	t.Parallel()
	s := start(t, duplexer)
	l := s.lease("openai", withGranted(true))
	trust, _ := s.authority(l)
	dial := func(host string, trust *x509.CertPool) *tls.Conn {
		conn := must(net.Dial("tcp", s.Listener.Addr().String()))
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n"+
			"Proxy-Authorization: Bearer %s\r\n\r\n", host, host, l.placeholder)
		_ = established(bufio.NewReader(conn))
		return tls.Client(conn, &tls.Config{RootCAs: trust, ServerName: host})
	}
	const upgrade = "GET /v1/realtime HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n" +
		"Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\nAuthorization: Bearer %s\r\n\r\n"
	var open []*bufio.Reader
	for host, trusted := range map[string]*x509.CertPool{
		"api.openai.com": trust, "other.example": s.roots,
	} {
		conn := dial(host, trusted)
		_, err := fmt.Fprintf(conn, upgrade, host, l.placeholder)
		reader := bufio.NewReader(conn)
		resp, readErr := http.ReadResponse(reader, nil)
		if err != nil || readErr != nil || resp.StatusCode != http.StatusSwitchingProtocols {
			t.Fatalf("%s: %v %v %v", host, resp, err, readErr)
		}
		_, _ = io.WriteString(conn, "text\n")
		if got := must(reader.ReadString('\n')); got != "text\n" {
			t.Error(got)
		}
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		open = append(open, reader)
	}
	s.revoke(l)
	for _, reader := range open {
		if _, err := reader.ReadByte(); err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("the connection outlives its lease: %v", err)
		}
	}
}

// The end of an answer is written after its handler has returned, by which the request is over.
func TestABrokerThatStopsWaitsForTheEndOfAnAnswerInsideAConnection(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai", withGranted(false))
	trust, _ := s.authority(l)
	returning, goOn := make(chan struct{}), make(chan struct{})
	s.observed = func() { close(returning); <-goOn }
	got, failed := "", error(nil)
	var asking sync.WaitGroup
	asking.Go(func() {
		got, failed = get(s.through(l, trust, false), "https://api.openai.com/v1/models", bearer(l))
	})
	<-returning
	drained := make(chan struct{})
	go func() { s.broker.Drain(t.Context()); s.stop(); close(drained) }()
	select {
	case <-drained:
		t.Error("the broker has stopped before the answer has ended")
	case <-time.After(500 * time.Millisecond): // a broker that waits never does
	}
	close(goOn)
	asking.Wait()
	if failed != nil || got != `200 HTTP/1.1 {"ok":true}` {
		t.Errorf("%s: %v", got, failed)
	}
	<-drained
}

// Below a pattern there are any number of hosts, and a connection needs no request.
func TestConnectionsThroughTheProxyFillNoMemory(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("pinecone", withGranted(false))
	trust, _ := s.authority(l)
	connect := func(host string) (net.Conn, string) {
		conn := must(net.Dial("tcp", s.Listener.Addr().String()))
		t.Cleanup(func() { _ = conn.Close() })
		_, _ = fmt.Fprintf(conn, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n"+
			"Proxy-Authorization: %s\r\n\r\n", host, host, basic("x", l.placeholder))
		return conn, established(bufio.NewReader(conn))
	}
	label := strings.Repeat("a", 63)
	for _, host := range []string{
		label + "a.pinecone.io", strings.Repeat(label+".", 4) + "pinecone.io",
	} {
		if _, got := connect(host); got != "403 host" {
			t.Errorf("a name of %d bytes: %s", len(host), got)
		}
	}
	for i := range 100 {
		host := fmt.Sprintf("x%d.pinecone.io", i)
		conn, _ := connect(host)
		secure := tls.Client(conn, &tls.Config{RootCAs: trust, ServerName: host})
		if err := secure.HandshakeContext(t.Context()); err != nil {
			t.Fatal(err)
		}
		_ = secure.Close()
	}
	if n := s.broker.Leaves(); n > 64 {
		t.Errorf("%d certificates are kept", n)
	}
	open := 0
	for range 600 {
		_, got := connect("x.pinecone.io")
		if got == "429 limit" {
			break
		}
		open++
	}
	if open < 400 || open > 512 {
		t.Errorf("a lease has %d connections open", open)
	}
}

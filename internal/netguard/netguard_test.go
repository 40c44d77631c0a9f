package netguard_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/netguard"
)

// A network resolves names and notes what is connected to.
type network struct {
	names    map[string][]string
	resolved []string
	dialled  []string
}

var errDialled = errors.New("dialled")

// guard returns a guard on the network, whose connections fail with errDialled.
func (n *network) guard(o netguard.Options) *netguard.Guard {
	return netguard.New(o).With(
		func(host string) []string {
			n.resolved = append(n.resolved, host)
			return n.names[host]
		},
		func(to netip.AddrPort) (net.Conn, error) {
			n.dialled = append(n.dialled, to.String())
			return nil, errDialled
		},
	)
}

func TestOnlyPublicAddressesAreConnectedTo(t *testing.T) {
	t.Parallel()
	for address, allowed := range map[string]bool{
		"1.1.1.1": true, "8.8.8.8": true, "100.63.255.255": true, "172.15.0.1": true,
		"172.32.0.1": true, "192.0.1.1": true, "223.255.255.255": true, "168.63.129.15": true,
		"2606:4700::1111": true, "2a00:1450::1": true, "2001:4860:4860::8888": true,

		"0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "100.64.0.1": false,
		"100.100.100.200": false, "127.0.0.1": false, "127.255.0.9": false,
		"168.63.129.16": false, "169.254.169.254": false, "169.254.170.2": false,
		"172.16.0.1": false, "172.31.255.255": false, "192.0.0.192": false, "192.0.2.1": false,
		"192.88.99.1": false, "192.168.1.1": false, "198.18.0.1": false, "198.19.255.255": false,
		"198.51.100.1": false, "203.0.113.1": false, "224.0.0.1": false, "240.0.0.1": false,
		"255.255.255.255": false,

		"::": false, "::1": false, "::127.0.0.1": false, "::ffff:127.0.0.1": false,
		"::ffff:8.8.8.8": false, "::ffff:169.254.169.254": false, "64:ff9b::a9fe:a9fe": false,
		"64:ff9b::808:808": false, "64:ff9b:1::a00:1": false, "100::1": false,
		"2001::1": false, "2001:0:4136:e378:8000:63bf:3fff:fdd2": false, "2001:db8::1": false,
		"2002:a9fe:a9fe::1": false, "2002:7f00:1::": false, "3fff::1": false, "4000::1": false,
		"fc00::1": false, "fd00:ec2::254": false, "fe80::1": false, "fe80::1%eth0": false,
		"2606:4700::1111%eth0": false, "fec0::1": false, "ff02::1": false,
	} {
		for _, host := range []string{address, "provider.example"} {
			if host != address && strings.ContainsAny(address, "%") {
				continue // no name has an address with a zone
			}
			if host != address && address == "::ffff:8.8.8.8" {
				continue // a resolver that writes four bytes in sixteen
			}
			n := network{names: map[string][]string{"provider.example": {address}}}
			_, err := n.guard(netguard.Options{}).
				DialContext(t.Context(), "tcp", net.JoinHostPort(host, "443"))
			if errors.Is(err, netguard.ErrRefused) == allowed || len(n.dialled) > 0 != allowed {
				t.Errorf("%s as %s: %v, and %v was connected to", address, host, err, n.dialled)
			}
		}
	}
}

func TestWhatIsNoCanonicalNameIsNotEvenResolved(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.1.", "1.2.3",
		"127.0.0.01", "::1%25lo", "localhost", "provider", "API.provider.example",
		"api.provider.example.", ".provider.example", "api..provider.example", "-a.example",
		"a-.example", "api.provider.example ", "api.provider.example\x00", "user@api.example",
		"api.example/path", "äpi.example", "api.example。com", "api.1", "*.example", "",
		strings.Repeat("a.", 130) + "example",
	} {
		n := network{}
		_, err := n.guard(netguard.Options{}).
			DialContext(t.Context(), "tcp", net.JoinHostPort(host, "443"))
		if !errors.Is(err, netguard.ErrRefused) || len(n.resolved)+len(n.dialled) > 0 {
			t.Errorf("%q: %v; resolved %v", host, err, n.resolved)
		}
	}
	for _, address := range []string{
		"api.example", "api.example:https", "api.example:0", "api.example:65536",
		"api.example:443:443",
	} {
		n := network{}
		_, err := n.guard(netguard.Options{}).DialContext(t.Context(), "tcp", address)
		if !errors.Is(err, netguard.ErrRefused) || len(n.resolved) > 0 {
			t.Errorf("%q: %v", address, err)
		}
	}
}

func TestANameIsResolvedOnceAndConnectedToByThatAddress(t *testing.T) {
	t.Parallel()
	n := network{names: map[string][]string{"api.example": {"1.1.1.1", "2606:4700::1111"}}}
	guard := n.guard(netguard.Options{})
	_, err := guard.DialContext(t.Context(), "tcp", "api.example:443")
	if !errors.Is(err, errDialled) {
		t.Error(err)
	}
	want := network{
		names: n.names, resolved: []string{"api.example"},
		dialled: []string{"1.1.1.1:443", "[2606:4700::1111]:443"},
	}
	if diff := cmp.Diff(want, n, cmp.AllowUnexported(network{})); diff != "" {
		t.Error(diff)
	}
	// The name moves to this machine, alone or beside an address that was right.
	for _, now := range [][]string{{"127.0.0.1"}, {"1.1.1.1", "127.0.0.1"}, {"1.1.1.1", "::1"}} {
		n.names["api.example"], n.dialled = now, nil
		_, err := guard.DialContext(t.Context(), "tcp", "api.example:443")
		if !errors.Is(err, netguard.ErrRefused) || n.dialled != nil {
			t.Errorf("%v: %v, and %v was connected to", now, err, n.dialled)
		}
	}
}

func TestAnOperatorAllowsNetworksAndNamesHosts(t *testing.T) {
	t.Parallel()
	n := network{names: map[string][]string{
		"inside.example": {"10.1.2.3"}, "other.example": {"10.2.0.1"},
		"public.six": {"64:ff9b::808:808"}, "private.six": {"64:ff9b::a00:1"},
	}}
	guard := n.guard(netguard.Options{
		Allow: []netip.Prefix{
			netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("64:ff9b::/96"),
		},
		Hosts: map[string]netip.AddrPort{"named.example": netip.MustParseAddrPort("127.0.0.1:9")},
	})
	for host, want := range map[string]string{
		"inside.example": "10.1.2.3:443", "named.example": "127.0.0.1:9",
		"public.six": "[64:ff9b::808:808]:443", "other.example": "", "private.six": "",
	} {
		n.dialled = nil
		_, err := guard.DialContext(t.Context(), "tcp", host+":443")
		if got := strings.Join(n.dialled, " "); got != want {
			t.Errorf("%s: %q was connected to, want %q: %v", host, got, want, err)
		}
	}
}

func TestARequestIsSentByHTTPSAndToWhoHasTheCertificate(t *testing.T) {
	t.Parallel()
	serve := func(version uint16) *httptest.Server {
		s := httptest.NewUnstartedServer(http.HandlerFunc(
			func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Proto) }))
		s.TLS = &tls.Config{MaxVersion: version}
		s.EnableHTTP2 = true
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s
	}
	now, old := serve(tls.VersionTLS13), serve(tls.VersionTLS11)
	roots := x509.NewCertPool()
	roots.AddCert(now.Certificate())
	at := func(s *httptest.Server) netip.AddrPort {
		return netip.MustParseAddrPort(s.Listener.Addr().String())
	}
	transport := netguard.New(netguard.Options{
		Roots: roots,
		Hosts: map[string]netip.AddrPort{
			"example.com": at(now), "old.example.com": at(old), "other.test": at(now),
		},
	}).Transport()
	defer transport.CloseIdleConnections()
	for url, want := range map[string]string{
		"https://example.com/": "HTTP/2.0", "https://other.test/": "certificate",
		"https://old.example.com/": "protocol version", "http://example.com/": "https",
		"https://127.0.0.1/": "not a public address",
	} {
		r, err := http.NewRequestWithContext(
			t.Context(),
			http.MethodPost,
			url,
			strings.NewReader("body"),
		)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v, want %s", url, err, want)
			}
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(body) != want || err != nil {
			t.Errorf("%s is answered %q: %v", url, body, err)
		}
	}
}

// Errors are logged, and what an answer has is nobody's business.
func TestAnErrorQuotesNothingOfAnAnswer(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{
		"canary\r\n\r\n", "HTTP/1.1 canary\r\n\r\n", "HTTP/canary 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\ncanary\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: canary\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ncanary\r\n\r\n",
	} {
		s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.WriteString(conn, answer)
			_ = conn.Close()
		}))
		roots := x509.NewCertPool()
		roots.AddCert(s.Certificate())
		transport := netguard.New(netguard.Options{
			Roots: roots, Hosts: map[string]netip.AddrPort{
				"example.com": netip.MustParseAddrPort(s.Listener.Addr().String()),
			},
		}).Transport()
		r, err := http.NewRequestWithContext(
			t.Context(), http.MethodGet, "https://example.com/", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err == nil {
			_, err = io.ReadAll(resp.Body)
			_ = resp.Body.Close()
		}
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", answer, err)
		}
		transport.CloseIdleConnections()
		s.Close()
	}
}

func TestAClientQuotesNoPlaceThatItCannotRead(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://[canary/")
		w.WriteHeader(http.StatusFound)
	}))
	defer s.Close()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	c := http.Client{Transport: netguard.Quiet(http.DefaultTransport)}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("status %d (%v)", resp.StatusCode, err)
	}
}

func TestAConnectionEntersAndLeavesOnce(t *testing.T) {
	t.Parallel()
	near, far := net.Pipe()
	defer far.Close()
	inside, full := 0, error(nil)
	guard := netguard.New(netguard.Options{
		Hosts: map[string]netip.AddrPort{"named.example": netip.MustParseAddrPort("127.0.0.1:9")},
		Enter: func() (func(), error) {
			inside++
			return func() { inside-- }, full
		},
	})
	fails := guard.With(nil, func(netip.AddrPort) (net.Conn, error) { return nil, errDialled })
	if _, err := fails.DialContext(t.Context(), "tcp", "named.example:1"); inside != 0 ||
		!errors.Is(err, errDialled) {
		t.Errorf("one that is not made: %d are inside, %v", inside, err)
	}
	works := guard.With(nil, func(netip.AddrPort) (net.Conn, error) { return near, nil })
	conn, err := works.DialContext(t.Context(), "tcp", "named.example:1")
	if err != nil || inside != 1 {
		t.Fatalf("one that is open: %d are inside, %v", inside, err)
	}
	_ = conn.Close()
	_ = conn.Close()
	if inside != 0 {
		t.Errorf("one that was closed twice: %d are inside", inside)
	}
	full = errors.New("full")
	if _, err := works.DialContext(t.Context(), "tcp", "named.example:1"); !errors.Is(err, full) {
		t.Errorf("where none may be opened: %v", err)
	}
}

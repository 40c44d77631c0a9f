package probe_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/probe"
	"github.com/keysake/keysake/plaintext"
)

const userAgent = "keysake-test"

// A provider stands in for every provider of the catalog, over TLS on this machine. It answers all
// requests alike, and records them.
type provider struct {
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []recorded
}

type recorded struct {
	*http.Request

	body string
}

// answers sets what is answered from now on, and forgets what was asked.
func (p *provider) answers(answer http.HandlerFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer, p.asked = answer, nil
}

func (p *provider) requests() []recorded {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.asked
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	p.mu.Lock()
	p.asked = append(p.asked, recorded{r, string(body)})
	answer := p.answer
	p.mu.Unlock()
	answer(w, r)
}

// newProvider returns a stand-in, and a prober that finds it in place of every provider.
func newProvider(t *testing.T, known *catalog.Catalog) (*provider, *probe.Prober) {
	t.Helper()
	names := hosts(known)
	p := &provider{}
	server := httptest.NewUnstartedServer(p)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	certificate, roots := certify(t, names)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	server.StartTLS()
	t.Cleanup(server.Close)
	at := map[string]netip.AddrPort{}
	for _, name := range names {
		at[name] = netip.MustParseAddrPort(server.Listener.Addr().String())
	}
	transport := netguard.New(netguard.Options{Hosts: at, Roots: roots}).Transport()
	t.Cleanup(transport.CloseIdleConnections)
	return p, probe.New(known, transport, userAgent)
}

// hosts returns the hosts that the checks of a catalog ask.
func hosts(known *catalog.Catalog) (names []string) {
	for _, preset := range known.Presets() {
		entry, _ := known.Entry(preset.ID)
		for _, check := range entry.Verify {
			address := catalog.Fill(check.Request.URL, entry.Inputs(plaintext.Value{}))
			host, _, _ := strings.Cut(strings.TrimPrefix(address, "https://"), "/")
			names = append(names, host)
		}
	}
	return names
}

// certify returns a certificate for the names, and who trusts it.
func certify(t *testing.T, names []string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: names, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, roots
}

func load(t *testing.T) *catalog.Catalog {
	t.Helper()
	known, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	return known
}

var macro = regexp.MustCompile(`\{([a1])\*([0-9]+)\}`)

// keyFor returns a key of a format: its example, of which no file has the text.
func keyFor(t *testing.T, entry catalog.Entry, format string) plaintext.Value {
	t.Helper()
	if format == "*" {
		return plaintext.FromString("no known format: " + strings.Repeat("z", 30))
	}
	for _, field := range entry.Fields {
		for _, f := range field.Formats {
			if f.ID == format {
				return plaintext.FromString(expand(f.Examples[0]))
			}
		}
	}
	t.Fatalf("%s has no format %s", entry.ID, format)
	return plaintext.Value{}
}

func expand(example string) string {
	return macro.ReplaceAllStringFunc(example, func(m string) string {
		parts := macro.FindStringSubmatch(m)
		count, _ := strconv.Atoi(parts[2])
		letters := "abcdefghijklmnopqrstuvwxyz"
		if parts[1] == "1" {
			letters = "1234567890"
		}
		return strings.Repeat(letters, count/len(letters)+1)[:count]
	})
}

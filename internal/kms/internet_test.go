package kms_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
)

// newInternet gives the program an internet of a few hosts, on loopback: a proxy that leads to
// handlers, over TLS, with certificates of an authority that the program trusts. So the program
// runs as it is, with its own addresses, and its checks of certificates count.
func newInternet(t *testing.T, hosts map[string]http.Handler) {
	t.Helper()
	dir := t.TempDir()
	certificate := newCertificates(t, filepath.Join(dir, "authority.pem"))
	server := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) { hosts[r.TLS.ServerName].ServeHTTP(w, r) },
	))
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return certificate(h.ServerName)
		},
	}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // certificates that are not believed
	server.StartTLS()
	t.Cleanup(server.Close)
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, port, _ := net.SplitHostPort(r.Host)
		if r.Method != http.MethodConnect || hosts[host] == nil || port != "443" {
			t.Errorf("it asks %s %s", r.Method, r.Host)
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		tunnel(t, w, server.Listener.Addr().String())
	}))
	t.Cleanup(proxy.Close)
	for name, value := range map[string]string{
		"HTTPS_PROXY": proxy.URL, "https_proxy": "", "NO_PROXY": "", "no_proxy": "",
		"SSL_CERT_FILE": filepath.Join(dir, "authority.pem"), "SSL_CERT_DIR": dir,
	} {
		t.Setenv(name, value)
	}
}

// tunnel connects the client of a proxy with a server until one of them leaves.
func tunnel(t *testing.T, w http.ResponseWriter, address string) {
	t.Helper()
	var dialer net.Dialer
	to, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		return // the test has ended
	}
	from, buffered, err := http.NewResponseController(w).Hijack()
	apptest.Must(t, err)
	_, _ = io.WriteString(from, "HTTP/1.1 200 Connected\r\n\r\n")
	var ended sync.WaitGroup
	for _, copied := range []func(){
		func() { _, _ = io.Copy(to, buffered); _ = to.Close() },
		func() { _, _ = io.Copy(from, to); _ = from.Close() },
	} {
		ended.Go(copied)
	}
	ended.Wait()
}

// newCertificates makes an authority, whose certificate it writes to a file, and returns what
// makes a certificate for the name of a host.
func newCertificates(t *testing.T, file string) func(host string) (*tls.Certificate, error) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	apptest.Must(t, err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	apptest.Must(t, err)
	apptest.Must(t, os.WriteFile(
		file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return func(host string) (*tls.Certificate, error) {
		leaf := &x509.Certificate{
			SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour),
			DNSNames: []string{host},
		}
		der, err := x509.CreateCertificate(rand.Reader, leaf, authority, key.Public(), key)
		return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
	}
}

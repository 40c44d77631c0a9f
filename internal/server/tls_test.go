package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// certificate makes a certificate for this machine, and returns its file, that of its key, and who
// trusts it.
func certificate(t *testing.T) (certFile, keyFile string, trust *x509.CertPool) {
	t.Helper()
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	return certFile, keyFile, apptest.WriteCertificate(t, certFile, keyFile)
}

// startTLS runs a server with a certificate, and returns what speaks HTTP/2 and HTTP/1.1 to it.
func startTLS(
	t *testing.T, change ...func(*config.Config),
) (s *apptest.Server, transports map[int]*http.Transport) {
	t.Helper()
	certFile, keyFile, trust := certificate(t)
	change = append(change, func(c *config.Config) { c.TLSCert, c.TLSKey = certFile, keyFile })
	s = apptest.Start(t, change...)
	transports = map[int]*http.Transport{
		2: {TLSClientConfig: &tls.Config{RootCAs: trust}, ForceAttemptHTTP2: true},
		1: {
			TLSClientConfig: &tls.Config{RootCAs: trust},
			TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{},
		},
	}
	for _, transport := range transports {
		t.Cleanup(transport.CloseIdleConnections)
	}
	return s, transports
}

func TestASecretIsKeptOverTLS(t *testing.T) {
	t.Parallel()
	s, transports := startTLS(t)
	if !strings.HasPrefix(s.URL, "https://") {
		t.Fatalf("the server listens on %s", s.URL)
	}
	for version, transport := range transports {
		c, err := client.New(s.URL, s.Key, client.WithTransport(transport))
		apptest.Must(t, err)
		name := map[int]string{1: "ONE", 2: "TWO"}[version]
		made, err := c.CreateSecret(
			t.Context(), wire.CreateSecret{Name: name, Value: plaintext.FromString("any-value")},
		)
		apptest.Must(t, err)
		if got, err := c.GetSecret(t.Context(), made.ID); err != nil || got != made {
			t.Errorf("over HTTP/%d another secret is read: %v", version, err)
		}
	}
	if _, err := s.Client(t).Health(t.Context()); err == nil {
		t.Error("a client that does not trust the certificate was answered")
	}
	if status, _ := get(
		t, "GET", strings.Replace(s.URL, "https:", "http:", 1)+"/api/v1/health",
	); status != 400 {
		t.Errorf("in the clear it answers %d", status)
	}
}

func TestA426OverHTTP2HasNoHeadersOfAConnection(t *testing.T) {
	t.Parallel()
	s, transports := startTLS(t, func(c *config.Config) {
		c.MinClients = []config.MinClient{{Name: "dreadnode-sdk", Version: "2.1.0"}}
	})
	for version, transport := range transports {
		req, err := http.NewRequestWithContext(
			t.Context(), http.MethodGet, s.URL+"/api/v1/user", nil,
		)
		apptest.Must(t, err)
		req.Header.Set("User-Agent", "dreadnode-sdk/2.0.0")
		resp, err := transport.RoundTrip(req)
		apptest.Must(t, err)
		var problem wire.Problem
		apptest.Must(t, json.NewDecoder(resp.Body).Decode(&problem))
		apptest.Must(t, resp.Body.Close())
		if resp.ProtoMajor != version || resp.StatusCode != http.StatusUpgradeRequired ||
			problem.Code != resp.StatusCode ||
			problem.Type != "upgrade_required_error" {
			t.Errorf("over HTTP/%d: answered %d as %+v", resp.ProtoMajor, resp.StatusCode, problem)
		}
		if !strings.Contains(problem.Detail, "dreadnode-sdk 2.1.0") {
			t.Errorf("over HTTP/%d the answer does not name the version to get", version)
		}
		for header, value := range map[string]string{
			"Upgrade": "dreadnode-sdk/2.1.0", "Connection": "Upgrade",
		} {
			if version == 2 { // RFC 9113, section 8.2.2
				value = ""
			}
			if got := resp.Header.Get(header); got != value {
				t.Errorf("over HTTP/%d: %s: %q, want %q", version, header, got, value)
			}
		}
	}
}

func TestOldVersionsOfTLSAreNotSpoken(t *testing.T) {
	t.Parallel()
	s, transports := startTLS(t)
	for version, spoken := range map[uint16]bool{
		tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true,
		tls.VersionTLS13: true,
	} {
		cfg := transports[1].TLSClientConfig.Clone()
		cfg.MinVersion, cfg.MaxVersion = version, version
		conn, err := tls.Dial("tcp", strings.TrimPrefix(s.URL, "https://"), cfg)
		if (err == nil) != spoken {
			t.Errorf("%s: %v", tls.VersionName(version), err)
		}
		if err == nil {
			apptest.Must(t, conn.Close())
		}
	}
}

func TestACertificateThatCannotBeReadIsNoStart(t *testing.T) {
	t.Parallel()
	certFile, keyFile, _ := certificate(t)
	otherCert, _, _ := certificate(t)
	for name, files := range map[string][2]string{
		"no certificate":          {certFile + ".not-there", keyFile},
		"no key":                  {certFile, keyFile + ".not-there"},
		"a key for a certificate": {keyFile, keyFile},
		"another's certificate":   {otherCert, keyFile},
	} {
		cfg := apptest.Config(t)
		cfg.TLSCert, cfg.TLSKey = files[0], files[1]
		out := &apptest.Buffer{}
		wantNoStart(t, server.Run(t.Context(), cfg, nil, out, io.Discard), "--tls-cert")
		if out.String() != "" {
			t.Errorf("%s: it said that it listens", name)
		}
	}
}

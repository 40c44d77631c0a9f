// Package standin plays providers on this machine, over real TLS: it has a certificate for every
// name that it is asked for, by an authority that only those trust who are told to.
package standin

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Provider is a server that plays every host.
type Provider struct {
	http      *http.Server
	address   string
	authority *x509.Certificate
	key       *ecdsa.PrivateKey

	mu           sync.Mutex
	certificates map[string]*tls.Certificate // by name
}

// Start serves h on a port of its own until [Provider.Close].
func Start(h http.Handler) (*Provider, error) {
	p := &Provider{certificates: map[string]*tls.Certificate{}}
	var err error
	if p.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	if p.authority, err = p.sign("", nil); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p.address = l.Addr().String()
	p.http = &http.Server{
		Handler:           h,
		ReadHeaderTimeout: time.Minute,
		TLSConfig:         &tls.Config{GetCertificate: p.certificate, MinVersion: tls.VersionTLS12},
		ErrorLog:          log.New(io.Discard, "", 0), // who leaves early is no error
	}
	go p.http.ServeTLS(l, "", "") //nolint:errcheck // it ends when the provider is closed
	return p, nil
}

// Close ends the provider and all its connections.
func (p *Provider) Close() error { return p.http.Close() }

// certificate returns one for the name that a client asks for.
func (p *Provider) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c := p.certificates[hello.ServerName]; c != nil {
		return c, nil
	}
	c, err := p.sign(hello.ServerName, p.authority)
	if err != nil {
		return nil, err
	}
	p.certificates[hello.ServerName] = &tls.Certificate{
		Certificate: [][]byte{c.Raw}, PrivateKey: p.key,
	}
	return p.certificates[hello.ServerName], nil
}

// sign makes a certificate for a name, or without an issuer that of the authority.
func (p *Provider) sign(name string, issuer *x509.Certificate) (*x509.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 1, 0),
		BasicConstraintsValid: true,
	}
	if issuer == nil {
		template.IsCA, issuer = true, template
	} else {
		template.DNSNames = []string{name}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, p.key.Public(), p.key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// Environment returns what a server of Keysake needs in its environment to take this provider for
// the hosts. It writes the authority to a file in dir.
func (p *Provider) Environment(dir string, hosts ...string) ([]string, error) {
	file := filepath.Join(dir, "stand-in.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.authority.Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, fmt.Errorf("the authority of the stand-in: %w", err)
	}
	allow := make([]string, len(hosts))
	for i, host := range hosts {
		allow[i] = host + "=" + p.address
	}
	return []string{
		"SSL_CERT_FILE=" + file, "KEYSAKE_EGRESS_ALLOW=" + strings.Join(allow, ","),
	}, nil
}

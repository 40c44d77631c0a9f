package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"sync"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// An authority signs certificates for the hosts of one lease, and no others: its own certificate
// says so, and the programs that trust it check that. Its key is in memory alone.
type authority struct {
	expires time.Time
	key     *ecdsa.PrivateKey
	root    *x509.Certificate
	pem     []byte

	mu     sync.Mutex
	leaves map[string]*tls.Certificate // by host: at most maxLeaves
}

// clockSkew is how far the clock of a program may be behind.
const clockSkew = 5 * time.Minute

// maxLeaves is how many certificates are kept: below a pattern there are any number of hosts. One
// is made anew in less time than a connection takes.
const maxLeaves = 64

// newAuthority returns an authority for some domains, and all below them.
func newAuthority(domains []string, expires time.Time) (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	all := func(bits int) *net.IPNet {
		return &net.IPNet{IP: make(net.IP, bits/8), Mask: net.CIDRMask(0, bits)}
	}
	root := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Keysake, for one lease"},
		NotBefore: time.Now().Add(-clockSkew), NotAfter: expires,
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign,
		ExtKeyUsage:                 []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		PermittedDNSDomainsCritical: true,
		PermittedDNSDomains:         domains,
		ExcludedIPRanges:            []*net.IPNet{all(32), all(128)},
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return nil, err
	}
	if root, err = x509.ParseCertificate(der); err != nil {
		return nil, err
	}
	return &authority{
		expires: expires, key: key, root: root, leaves: map[string]*tls.Certificate{},
		pem: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil
}

func serial() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b)
}

// certificate returns the certificate of a host.
func (a *authority) certificate(host string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leaves[host]; c != nil {
		return c, nil
	}
	leaf := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: a.root.NotBefore, NotAfter: a.expires,
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.root, a.key.Public(), a.key)
	if err != nil {
		return nil, err
	}
	c := &tls.Certificate{Certificate: [][]byte{der, a.root.Raw}, PrivateKey: a.key}
	for other := range a.leaves {
		if len(a.leaves) < maxLeaves {
			break
		}
		delete(a.leaves, other)
	}
	a.leaves[host] = c
	return c, nil
}

// authorityOf returns the authority of a lease, which is made when it is first asked for.
func (b *Broker) authorityOf(g vault.Grant) (*authority, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	for lease, a := range b.authorities {
		if now.After(a.expires) {
			delete(b.authorities, lease)
		}
	}
	if a := b.authorities[g.Lease]; a != nil {
		return a, nil
	}
	var domains []string
	for _, p := range b.granted(g) {
		domains = append(domains, p.entry.DomainsWith(g.Limits.Params)...)
	}
	a, err := newAuthority(domains, g.ExpiresAt)
	if err == nil {
		b.authorities[g.Lease] = a
	}
	return a, err
}

// granted returns the providers of the secrets of a lease.
func (b *Broker) granted(g vault.Grant) (all []*provider) {
	for _, secret := range g.Granted {
		if p := b.providers[secret.Provider]; p != nil {
			all = append(all, p)
		}
	}
	return all
}

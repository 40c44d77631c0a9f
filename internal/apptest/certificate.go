package apptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"testing"
	"time"
)

// WriteCertificate writes a new certificate for this machine and its key to two files, over what is
// there, and returns who trusts it.
func WriteCertificate(tb testing.TB, certFile, keyFile string) *x509.CertPool {
	tb.Helper()
	cert, key, err := NewCertificate()
	Must(tb, err)
	Must(tb, os.WriteFile(certFile, cert, 0o600))
	Must(tb, os.WriteFile(keyFile, key, 0o600))
	trust := x509.NewCertPool()
	trust.AppendCertsFromPEM(cert)
	return trust
}

// NewCertificate returns a new certificate for this machine and its key, in PEM.
func NewCertificate() (certPEM, keyPEM []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	certPEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return certPEM, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), err
}

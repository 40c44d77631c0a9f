package apptest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net/netip"
	"os"
	"time"

	"github.com/keysake/keysake/internal/config"
)

// TrustedPair returns a certificate for hosts that this process trusts as it does those of the
// system: for stand-ins of providers. It works where Go reads SSL_CERT_FILE, and before anything
// else is verified: as the value of a variable of a test's package.
func TrustedPair(hosts ...string) tls.Certificate {
	pair, text, err := Pair(hosts...)
	if err == nil {
		err = trust(text)
	}
	if err != nil {
		panic(err)
	}
	return pair
}

// Pair returns a certificate for hosts, and its PEM for who is to trust it.
func Pair(hosts ...string) (pair tls.Certificate, text []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: hosts, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	pair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return pair, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), err
}

// trust makes this process read the roots of the system, and a certificate more.
func trust(text []byte) error {
	file, err := os.CreateTemp("", "keysake-provider-*.pem")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	_, err = file.Write(text)
	err = errors.Join(err, file.Close(), os.Setenv("SSL_CERT_FILE", file.Name()))
	if err == nil {
		_, err = x509.SystemCertPool()
	}
	return err
}

// Egress returns the settings by which a server connects to a stand-in in the place of hosts.
func Egress(address string, hosts ...string) (all []config.Egress) {
	at := netip.MustParseAddrPort(address)
	for _, h := range hosts {
		all = append(all, config.Egress{Host: h, At: at})
	}
	return all
}

package cli

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
)

var errWideAuthority = errors.New(
	"its authority could sign for any host: the command is not started")

// checkAuthority returns the certificate of the broker's authority, if it can sign for these hosts
// alone. What it may sign for must not be the server's word: who answers in its place could then
// read whatever the command says to anyone.
//
// It is encoded anew, because others read more out of a text than this does.
func checkAuthority(text []byte, hosts []string) ([]byte, error) {
	block, rest := pem.Decode(text)
	if block == nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errWideAuthority
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil || !isNarrow(c) {
		return nil, errWideAuthority
	}
	for _, domain := range c.PermittedDNSDomains {
		if !slices.Contains(hosts, domain) {
			return nil, fmt.Errorf("its authority could sign for %q, which is no host of what "+
				"this run names: the command is not started; name the provider with --preset, or "+
				"a secret as its programs do, such as OPENAI_API_KEY, or add the host with "+
				"--proxy-host if you know it", domain)
		}
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), nil
}

// isNarrow reports whether a certificate is an authority for some hosts, for no addresses and for
// no other authority, and says so in a way that nobody may overlook.
func isNarrow(c *x509.Certificate) bool {
	excluded := func(bits int) bool {
		return slices.ContainsFunc(c.ExcludedIPRanges, func(n *net.IPNet) bool {
			ones, size := n.Mask.Size()
			return ones == 0 && size == bits
		})
	}
	return c.IsCA && c.MaxPathLenZero && c.PermittedDNSDomainsCritical &&
		len(c.PermittedDNSDomains) > 0 && excluded(8*net.IPv4len) && excluded(8*net.IPv6len)
}

package cli

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
)

var errWideAuthority = errors.New(
	"its authority could sign for any host: the command is not started")

// checkAuthority returns the certificate of the broker's authority, if it can sign for hosts of
// the run alone. What it may sign for must not be the server's word: who answers in its place could
// then read whatever the command says to anyone.
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
			return nil, fmt.Errorf("its authority could sign for %q, which is no host of this "+
				"run's secrets: the command is not started; if it is one of a preset of your "+
				"operator's own, add --proxy-host", domain)
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

// hostsOf returns the hosts of a provider as an authority names them: those of this program's own
// catalog, with the params that the run asked for.
func hostsOf(known *catalog.Catalog, provider string, params []string) (hosts []string) {
	given := map[string]string{}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		given[name] = value
	}
	entry, _ := known.Entry(provider)
	for _, host := range entry.HostsWith(given) {
		hosts = append(hosts, strings.TrimPrefix(host, "*."))
	}
	return hosts
}

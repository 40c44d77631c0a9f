package netguard

import (
	"fmt"
	"net/netip"
	"slices"
)

//nolint:gochecknoglobals // tables that nothing writes to
var (
	// forbidden are the networks among 0.0.0.0/0 and 2000::/3 that are not public, from the
	// registries of special addresses, and one that a cloud has for its own machines.
	forbidden = parsePrefixes(
		"0.0.0.0/8",        // this network
		"10.0.0.0/8",       // private
		"100.64.0.0/10",    // of a carrier, and one cloud's metadata
		"127.0.0.0/8",      // loopback
		"168.63.129.16/32", // one cloud's metadata
		"169.254.0.0/16",   // link-local, and most clouds' metadata
		"172.16.0.0/12",    // private
		"192.0.0.0/24",     // of protocols, and one cloud's metadata
		"192.0.2.0/24",     // documentation
		"192.88.99.0/24",   // relays to IPv6
		"192.168.0.0/16",   // private
		"198.18.0.0/15",    // measuring
		"198.51.100.0/24",  // documentation
		"203.0.113.0/24",   // documentation
		"224.0.0.0/4",      // multicast
		"240.0.0.0/4",      // reserved, and broadcast
		"2001::/23",        // of protocols: Teredo has an IPv4 address inside
		"2001:db8::/32",    // documentation
		"2002::/16",        // 6to4 has an IPv4 address inside
		"3fff::/20",        // documentation
	)
	// public6 is all that is public of IPv6. Loopback, link-local, private and multicast addresses
	// are outside, as are the IPv4 addresses that are written as one of IPv6, and those of NAT64.
	public6 = netip.MustParsePrefix("2000::/3")
	// nat64 has an IPv4 address in its last four bytes.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
)

func parsePrefixes(texts ...string) []netip.Prefix {
	prefixes := make([]netip.Prefix, len(texts))
	for i, t := range texts {
		prefixes[i] = netip.MustParsePrefix(t)
	}
	return prefixes
}

// check refuses an address that may not be connected to.
func (g *Guard) check(addr netip.Addr) error {
	if g.isAllowed(addr) {
		return nil
	}
	return fmt.Errorf("%w: %v is not a public address", ErrRefused, addr)
}

func (g *Guard) isAllowed(addr netip.Addr) bool {
	within := func(p netip.Prefix) bool { return p.Contains(addr) }
	excepted := slices.ContainsFunc(g.options.Allow, within)
	switch {
	case addr.Zone() != "" || addr.Is4In6():
		return false
	case nat64.Contains(addr):
		b := addr.As16()
		return excepted && g.isAllowed(netip.AddrFrom4([4]byte(b[12:])))
	case excepted:
		return true
	case addr.Is6() && !public6.Contains(addr):
		return false
	}
	return addr.IsValid() && !slices.ContainsFunc(forbidden, within)
}

package middleware

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientAddress returns the address of the client: that of the connection or, if that is a trusted
// proxy, the last one in X-Forwarded-For that is not. What a client writes into that header itself
// stands before it and does not count.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := hostAddress(r.RemoteAddr)
	if !isTrusted(addr, trusted) {
		return addr
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(hops) {
		hop := hostAddress(strings.TrimSpace(text))
		if !isTrusted(addr, trusted) || !hop.IsValid() {
			break
		}
		addr = hop
	}
	return addr
}

// hostAddress reads an address with or without a port. It returns the zero Addr for anything else.
func hostAddress(s string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(s); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}
	}
	return addr.Unmap().WithZone("")
}

func isTrusted(addr netip.Addr, trusted []netip.Prefix) bool {
	return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// Network returns what shares one limit with an address: an IPv4 address alone, or the /64 that one
// customer of an IPv6 provider has. Addresses that cannot be read share the zero Prefix.
func Network(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

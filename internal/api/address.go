package api

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddress returns who is at the other end: the address of the connection or, where that is a
// trusted proxy, the last one in X-Forwarded-For that is none. What a client itself writes into
// that header stands before it and does not count.
func clientAddress(r *http.Request, trusted []netip.Prefix) netip.Addr {
	addr := hostAddress(r.RemoteAddr)
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && isTrusted(addr, trusted); i-- {
		hop := hostAddress(strings.TrimSpace(hops[i]))
		if !hop.IsValid() {
			break
		}
		addr = hop
	}
	return addr
}

// hostAddress reads an address with or without a port. The zero Addr is none.
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
	for _, p := range trusted {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

// network is what shares one limit: an IPv4 address, or the /64 that one IPv6 customer has.
func network(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // addresses that cannot be read share one limit
	}
	return p
}

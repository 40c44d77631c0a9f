package netguard

import (
	"context"
	"net"
	"net/netip"
)

// With returns the guard with another resolver, and another way to connect to an address.
func (g *Guard) With(
	resolve func(host string) []string, dial func(to netip.AddrPort) (net.Conn, error),
) *Guard {
	g.resolve = func(_ context.Context, host string) (addrs []netip.Addr, _ error) {
		for _, text := range resolve(host) {
			addrs = append(addrs, netip.MustParseAddr(text))
		}
		return addrs, nil
	}
	g.dial = func(_ context.Context, to netip.AddrPort) (net.Conn, error) { return dial(to) }
	return g
}

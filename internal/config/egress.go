package config

import (
	"fmt"
	"net/netip"
	"strings"
)

// An Egress is an exception to what may be connected to: a network, or a host that is not resolved
// and where it is.
type Egress struct {
	Network netip.Prefix
	Host    string // empty for a network
	At      netip.AddrPort
}

// Exceptions returns what may be connected to besides public addresses: networks, and hosts with
// where they are.
func (c Config) Exceptions() (networks []netip.Prefix, hosts map[string]netip.AddrPort) {
	hosts = map[string]netip.AddrPort{}
	for _, e := range c.EgressAllow {
		if e.Host == "" {
			networks = append(networks, e.Network)
		} else {
			hosts[e.Host] = e.At
		}
	}
	return networks, hosts
}

func parseEgress(text string) (Egress, error) {
	host, at, isHost := strings.Cut(text, "=")
	if !isHost {
		network, err := parsePrefix(text)
		if err != nil {
			return Egress{}, fmt.Errorf("%w, or HOST=ADDRESS:PORT", err)
		}
		return Egress{Network: network}, nil
	}
	to, err := netip.ParseAddrPort(at)
	if err != nil || host == "" || host != strings.ToLower(host) || to.Port() == 0 {
		return Egress{}, fmt.Errorf(
			"%q must be HOST=ADDRESS:PORT, such as api.example.com=127.0.0.1:8443", text)
	}
	return Egress{Host: host, At: to}, nil
}

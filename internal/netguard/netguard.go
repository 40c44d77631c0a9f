// Package netguard makes the connections that a user can cause: https only, by a name that is
// resolved once, to no address of this machine or its network, with the certificate verified for
// that name.
package netguard

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/netip"
)

// ErrRefused is in the error of a connection that may not be made.
var ErrRefused = errors.New("the connection is not allowed")

// Options are what an operator may change. The zero value allows public addresses alone.
type Options struct {
	// Allow lists networks that are no public ones, and may be connected to all the same.
	Allow []netip.Prefix
	// Hosts names hosts that are not resolved, and where to connect to instead. The certificate is
	// verified for the name.
	Hosts map[string]netip.AddrPort
	// Roots are who signs certificates. nil: those of the system.
	Roots *x509.CertPool
	// Enter is asked before each connection, and what it returns is called at its end. Its error is
	// that of the connection. nil: as many as there may be.
	Enter func() (leave func(), err error)
}

// A Guard connects where it is allowed. It is safe for concurrent use.
type Guard struct {
	options Options
	resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	dial    func(ctx context.Context, to netip.AddrPort) (net.Conn, error)
}

// New returns a guard.
func New(o Options) *Guard {
	return &Guard{
		options: o,
		resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			// The dot at the end keeps the search list of the machine out of it.
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host+".")
		},
		dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{KeepAlive: keepAlive}).DialContext(ctx, "tcp", to.String())
		},
	}
}

package netguard

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"strconv"
	"sync"
	"time"
)

const (
	dialTimeout = 10 * time.Second
	keepAlive   = 30 * time.Second
)

// hostPattern matches a canonical host name of at least two labels. The last one begins with a
// letter: resolvers read many other ways to write an address, such as 0x7f.1 and 2130706433.
var hostPattern = regexp.MustCompile(
	`^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$`,
)

// maxHost is the length of the longest name that the DNS has.
const maxHost = 253

// DialContext connects to a host and port. A name is resolved once, and the connection is made to
// an address that was checked. If one address of a name is refused, so is the name: an honest one
// has no such address, and the next answer might have it alone.
func (g *Guard) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	if g.options.Enter == nil {
		return g.connect(ctx, address)
	}
	leave, err := g.options.Enter()
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: err}
	}
	conn, err := g.connect(ctx, address)
	if err != nil {
		leave()
		return nil, err
	}
	return &entered{Conn: conn, leave: sync.OnceFunc(leave)}, nil
}

// An entered connection says when it is closed.
type entered struct {
	net.Conn
	leave func()
}

// Close implements [net.Conn].
func (c *entered) Close() error {
	c.leave()
	return c.Conn.Close()
}

// CloseWrite is for connections that are passed on untouched: one side may end before the other.
func (c *entered) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return c.Close()
}

func (g *Guard) connect(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("%w: the port must be a number", ErrRefused)
	}
	if to, found := g.options.Hosts[host]; found {
		return g.dial(ctx, to)
	}
	addrs, err := g.addresses(ctx, host)
	if err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if err := g.check(addr); err != nil {
			return nil, err
		}
	}
	return g.dialFirst(ctx, addrs, uint16(port))
}

// addresses resolves a name, or reads an address.
func (g *Guard) addresses(ctx context.Context, host string) ([]netip.Addr, error) {
	if addr, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{addr}, nil
	}
	if len(host) > maxHost || !hostPattern.MatchString(host) {
		return nil, fmt.Errorf("%w: the host is not a canonical name", ErrRefused)
	}
	addrs, err := g.resolve(ctx, host)
	for i, addr := range addrs {
		// A resolver may write what it got as four bytes in sixteen.
		addrs[i] = addr.Unmap()
	}
	return addrs, err
}

// dialFirst connects to the first address that answers. Each has its share of the time.
func (g *Guard) dialFirst(
	ctx context.Context, addrs []netip.Addr, port uint16,
) (net.Conn, error) {
	err := error(&net.AddrError{Err: "the host has no address"})
	for i, addr := range addrs {
		deadline, _ := ctx.Deadline()
		share := time.Until(deadline) / time.Duration(len(addrs)-i)
		one, cancel := context.WithTimeout(ctx, share)
		conn, dialErr := g.dial(one, netip.AddrPortFrom(addr, port))
		cancel()
		if dialErr == nil {
			return conn, nil
		}
		err = dialErr
	}
	return nil, err
}

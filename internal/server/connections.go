package server

import (
	"container/list"
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/keysake/keysake/internal/middleware"
)

// connections is a listener that bounds the open connections, in total and of one address. Beyond
// that, those that wait make room, the oldest first: a client that sends nothing, or half a
// request, keeps nobody out. If none waits, the new one is turned away.
type connections struct {
	net.Listener
	most, mostEach int
	proxies        []netip.Prefix // each speaks for many clients
	answer         []byte         // to those who are turned away; nil only closes
	answering      chan struct{}
	room           *room // that it shares; nil: none

	mu   sync.Mutex
	all  *queue
	each map[netip.Prefix]*queue // of one address

	closed  atomic.Uint64 // to make room
	refused atomic.Uint64
	unused  atomic.Uint64 // ended without a whole request
}

// A connection of a client.
type connection struct {
	net.Conn
	owner *connections
	from  netip.Prefix
	used  atomic.Bool // a whole request came

	// guarded by owner.mu
	gone  bool
	own   *queue // of its address
	inAll *list.Element
	inOwn *list.Element
}

// acceptPause is for the time in which the process has no descriptor left.
const acceptPause = 10 * time.Millisecond

func newConnections(l net.Listener, most, mostEach int, proxies []netip.Prefix) *connections {
	return &connections{
		Listener: l, most: most, mostEach: mostEach, proxies: proxies,
		answering: make(chan struct{}, 4), all: newQueue(), each: map[netip.Prefix]*queue{},
	}
}

// Accept implements [net.Listener].
func (l *connections) Accept() (net.Conn, error) {
	for {
		raw, err := l.Listener.Accept()
		if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
			l.mu.Lock()
			victim := l.all.oldest()
			l.mu.Unlock()
			l.evict(victim)
			time.Sleep(acceptPause)
			continue
		}
		if err != nil {
			return nil, err
		}
		if c := l.add(raw); c != nil {
			return c, nil
		}
		l.refused.Add(1)
		l.turnAway(raw)
	}
}

// add takes in a connection, for which others may have to make room. It is nil if there is none.
func (l *connections) add(raw net.Conn) *connection {
	c := &connection{Conn: raw, owner: l}
	limited := true
	if at, err := netip.ParseAddrPort(raw.RemoteAddr().String()); err == nil {
		addr := at.Addr().Unmap().WithZone("")
		c.from = middleware.Network(addr)
		limited = !slices.ContainsFunc(
			l.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
	}
	l.mu.Lock()
	own := l.each[c.from]
	if own == nil {
		own = newQueue()
	}
	var victim *connection
	full := false
	switch {
	case limited && own.size() >= l.mostEach:
		victim, full = own.oldest(), true
	case l.all.size() >= l.most || l.room.isFull():
		victim, full = l.all.oldest(), true
	}
	if full && victim == nil {
		l.mu.Unlock()
		return nil
	}
	if victim != nil {
		victim.leave()
	}
	l.room.add(1)
	l.each[c.from] = own
	c.own, c.inAll, c.inOwn = own, l.all.add(c), own.add(c)
	l.mu.Unlock()
	l.evict(victim)
	return c
}

// evict closes a connection, if it is one, that waited while others need the room.
func (l *connections) evict(c *connection) {
	if c != nil {
		l.closed.Add(1)
		_ = c.Close()
	}
}

// turn says whether a connection waits for a request from now on. The caller holds the lock.
func (c *connection) turn(waits bool) {
	if !c.gone {
		c.owner.all.turn(c.inAll, waits)
		c.own.turn(c.inOwn, waits)
	}
}

// leave ends its count. The caller holds the lock.
func (c *connection) leave() {
	if c.gone {
		return
	}
	c.gone = true
	c.owner.room.add(-1)
	c.owner.all.Remove(c.inAll)
	c.own.Remove(c.inOwn)
	if c.own.size() == 0 {
		delete(c.owner.each, c.from)
	}
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	c.owner.mu.Lock()
	c.leave()
	c.owner.mu.Unlock()
	if c.used.CompareAndSwap(false, true) {
		c.owner.unused.Add(1)
	}
	return c.Conn.Close()
}

// CloseWrite is for net/http, which lets a client read an answer before it closes.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// follow is told by net/http what a connection does.
func follow(raw net.Conn, state http.ConnState) {
	c := connectionOf(raw)
	if c == nil {
		return
	}
	c.owner.mu.Lock()
	defer c.owner.mu.Unlock()
	switch state {
	case http.StateActive, http.StateHijacked:
		c.turn(false)
	case http.StateIdle:
		c.turn(true)
	case http.StateNew, http.StateClosed:
	}
}

// connectionOf returns the connection that TLS may have been put around.
func connectionOf(raw net.Conn) *connection {
	if secured, ok := raw.(*tls.Conn); ok {
		raw = secured.NetConn()
	}
	c, _ := raw.(*connection)
	return c
}

type connectionKey struct{}

// withConnection is for net/http: the context of a request names its connection.
func withConnection(ctx context.Context, raw net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, connectionOf(raw))
}

// markUsed says that the connection of a request is one that sends requests.
func markUsed(ctx context.Context) {
	if c, _ := ctx.Value(connectionKey{}).(*connection); c != nil && !c.used.Load() {
		c.used.Store(true)
	}
}

// lingerTime is how long the client of a connection that is turned away may take to read why.
const lingerTime = 200 * time.Millisecond

// turnAway says why, if not too many are being told, and closes.
func (l *connections) turnAway(raw net.Conn) {
	select {
	case l.answering <- struct{}{}:
	default:
		_ = raw.Close()
		return
	}
	go func() {
		defer func() { <-l.answering }()
		defer raw.Close() //nolint:errcheck // the client is gone
		_ = raw.SetDeadline(time.Now().Add(lingerTime))
		if _, err := raw.Write(l.answer); err != nil {
			return
		}
		// what the client has sent is read, or it would get a reset instead of the answer
		_, _ = raw.Read(make([]byte, maxHeaderBytes))
	}()
}

package broker

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/netguard"
	"github.com/keysake/keysake/internal/vault"
)

// authorityPath is where a program gets the authority of its lease.
const authorityPath = "/-/ca.pem"

// serveAuthority answers with the authority of the lease whose placeholder comes as a bearer.
func (b *Broker) serveAuthority(w http.ResponseWriter, r *http.Request) {
	_, placeholder, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	g, why := b.grant(r.Context(), placeholder)
	if why != nil {
		b.refuse(w, r, "", why)
		return
	}
	a, err := b.authorityOf(g)
	if err != nil {
		b.log.ErrorContext(r.Context(), "an authority could not be made", "cause", err)
		b.refuse(w, r, "", unavailable())
		return
	}
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Header().Set("Cache-Control", "no-store")
	_, _ = w.Write(a.pem) // the client may be gone
}

// connect answers a program that takes the broker for its proxy. Connections to the hosts of its
// lease are opened here: the requests inside get their key as others do. Those to other hosts are
// refused, or passed on untouched if the lease says so.
func (b *Broker) connect(w http.ResponseWriter, r *http.Request) {
	placeholder, ok := proxyCredential(r)
	if !ok {
		w.Header().Set("Proxy-Authenticate", `Basic realm="keysake"`)
		w.WriteHeader(http.StatusProxyAuthRequired)
		return
	}
	g, why := b.grant(r.Context(), placeholder)
	host, port, err := net.SplitHostPort(r.RequestURI)
	if why == nil && (err != nil || r.ProtoMajor != 1 || r.Host != r.RequestURI) {
		why = errTarget
	}
	var p *provider
	if why == nil {
		p = b.providerOf(g, host)
		switch {
		case p != nil && port != "443":
			why = refuse(ruleHost, "The host is connected to at port 443 alone")
		case p == nil && (!g.Limits.OpenEgress || b.dial == nil):
			why = refuse(ruleHost, "The host is none of the secrets of the lease")
		}
	}
	f := &flow{target: target{host: host}, grant: g, placeholder: placeholder}
	f.match.host, f.began = host, time.Now()
	if why == nil {
		b.hold(f)
		why = f.quota.connect()
	}
	if why == nil {
		defer f.quota.disconnect()
		if p == nil {
			why = b.tunnel(w, r, f)
		} else {
			why = b.intercept(w, f, p)
		}
	}
	if why != nil {
		if g.Lease != uuid.Nil {
			b.note(r, f, why)
		}
		b.refuse(w, r, "", why)
	}
}

// proxyCredential returns what a client has as its credential for proxies: the placeholder, as the
// name of its user or as the password.
func proxyCredential(r *http.Request) (string, bool) {
	value := r.Header.Get("Proxy-Authorization")
	as := http.Request{Header: http.Header{"Authorization": {value}}}
	if user, password, ok := as.BasicAuth(); ok {
		if len(user) >= tokenLength {
			return user, true
		}
		return password, password != ""
	}
	scheme, token, _ := strings.Cut(value, " ")
	return token, strings.EqualFold(scheme, "Bearer") && token != ""
}

// providerOf returns the provider of a lease that has a host.
func (b *Broker) providerOf(g vault.Grant, host string) *provider {
	for _, p := range b.granted(g) {
		if slices.ContainsFunc(p.entry.HostsWith(g.Limits.Params), func(pattern string) bool {
			return matchesHost(pattern, host)
		}) {
			return p
		}
	}
	return nil
}

// take takes over the connection of a client, and makes it end with the lease.
func (b *Broker) take(w http.ResponseWriter, f *flow) (*taken, func(), *refusal) {
	f.control = http.NewResponseController(w)
	conn, rw, err := f.control.Hijack()
	if err != nil {
		return nil, nil, errTarget
	}
	_ = conn.SetDeadline(time.Time{}) // that of the headers is over
	f.cancel = func(error) { _ = conn.Close() }
	f.conn = conn
	b.enter(f.placeholder, f)
	end := func() {
		b.leave(f.placeholder, f)
		_ = conn.Close()
	}
	// A client that does not wait for the answer may have sent more.
	before := io.LimitReader(rw, int64(rw.Reader.Buffered()))
	return &taken{
		Conn: conn, from: io.MultiReader(before, conn), closed: make(chan struct{}),
	}, end, nil
}

// A taken connection is read from what came before it was taken over, and tells when it is closed.
type taken struct {
	net.Conn
	from   io.Reader
	once   sync.Once
	closed chan struct{}
}

func (c *taken) Read(p []byte) (int, error) { return c.from.Read(p) }

// Close implements [net.Conn].
func (c *taken) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}

const established = "HTTP/1.1 200 Connection Established\r\n\r\n"

// intercept serves the requests inside a connection to a host of the lease.
func (b *Broker) intercept(w http.ResponseWriter, f *flow, p *provider) *refusal {
	host, lease := f.target.host, f.grant.Lease
	a, err := b.authorityOf(f.grant)
	if err != nil {
		return unavailable()
	}
	conn, end, why := b.take(w, f)
	if why != nil {
		return why
	}
	defer end()
	if _, err := io.WriteString(conn, established); err != nil {
		return nil
	}
	secure := tls.Server(conn, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			if hello.ServerName != host {
				return nil, errors.New("the name is not that of the connection")
			}
			return a.certificate(host)
		},
	})
	inner := http.Server{
		ReadHeaderTimeout: dialTimeout, IdleTimeout: innerIdle, MaxHeaderBytes: innerHeader,
		ErrorLog: log.New(io.Discard, "", 0), DisableGeneralOptionsHandler: true,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: innerBuffer},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			t, err := parsePath(r.RequestURI)
			if why, ok := errors.AsType[*refusal](err); ok {
				b.refuse(w, r, p.entry.ID, why)
				return
			}
			if strings.TrimSuffix(r.Host, ":443") != host {
				b.refuse(w, r, p.entry.ID,
					refuse(ruleHost, "The host is not that of the connection"))
				return
			}
			t.provider, t.host = p.entry.ID, host
			r = r.WithContext(context.WithValue(r.Context(), leaseKey{}, lease))
			if f := b.beginTo(w, r, t); f != nil {
				b.pass(f)
			}
		}),
		ConnState: func(_ net.Conn, is http.ConnState) { f.busy.Store(is == http.StateActive) },
	}
	inner.Protocols = new(http.Protocols)
	inner.Protocols.SetHTTP1(true)
	inner.Protocols.SetHTTP2(true)
	_ = inner.Serve(&single{conn: secure, closed: conn.closed}) // it always ends with an error
	return nil
}

const (
	dialTimeout = 10 * time.Second
	innerIdle   = 2 * time.Minute
	tunnelIdle  = time.Hour // for how long a tunnel may carry nothing
	innerHeader = 64 << 10
	innerBuffer = 64 << 10 // of a request whose provider reads slowly
)

// leaseKey is the key of the lease whose connection a request is in.
type leaseKey struct{}

// A single listener has one connection, and ends with it.
type single struct {
	mu     sync.Mutex
	conn   *tls.Conn
	closed <-chan struct{}
}

// Accept implements [net.Listener].
func (l *single) Accept() (net.Conn, error) {
	l.mu.Lock()
	conn := l.conn
	l.conn = nil
	l.mu.Unlock()
	if conn == nil {
		<-l.closed
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close implements [net.Listener].
func (*single) Close() error { return nil }

// Addr implements [net.Listener].
func (*single) Addr() net.Addr { return &net.TCPAddr{} }

// tunnel passes a connection to a host that has no secret on, untouched.
func (b *Broker) tunnel(w http.ResponseWriter, r *http.Request, f *flow) *refusal {
	if why := f.quota.begin(f.grant.Limits, f.began); why != nil {
		return why
	}
	f.counted, f.idle = true, tunnelIdle
	defer f.quota.end(0)
	upstream, err := b.dial(r.Context(), "tcp", r.RequestURI)
	switch {
	case errors.Is(err, netguard.ErrRefused):
		return refuse(ruleAddress, "The host has an address that is not allowed")
	case err != nil:
		return &refusal{
			status: http.StatusBadGateway, rule: ruleUpstream, detail: "The host did not answer",
		}
	}
	defer func() { _ = upstream.Close() }()
	conn, end, why := b.take(w, f)
	if why != nil {
		return why
	}
	defer end()
	_, _ = io.WriteString(conn, established) // a client that is gone reads nothing
	f.touch()
	both := upgraded{upstream, f}
	done := make(chan struct{}, 2)
	go func() { _, _ = copySmall(both, conn); done <- struct{}{} }()
	go func() { _, _ = copySmall(conn, both); done <- struct{}{} }()
	<-done // what one side ends, both have
	f.status = http.StatusOK
	b.observe("", "tunnel")
	b.note(r, f, nil)
	return nil
}

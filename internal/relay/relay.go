// Package relay passes what the programs of one run ask on to the broker: from a port of this
// machine, which is also their proxy, and from a socket that nobody else may connect to. It has no
// key. What it passes on is worth something to the broker only because of the placeholder in it.
package relay

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/duplex"
	"github.com/keysake/keysake/internal/peer"
)

// headerTimeout is how long a program may take for the headers of a request. Bodies and answers may
// take as long as they do.
const headerTimeout = 30 * time.Second

// Options say what a relay passes on, and where to.
type Options struct {
	Broker    *url.URL
	Transport *http.Transport // to the broker
	// Dir is a folder of the user's alone, for the socket.
	Dir string
	// Hosts are those that programs name on the socket, each with what its paths begin with at the
	// broker. Without any there is no socket.
	Hosts map[string]string
}

// A Relay is one that runs.
type Relay struct {
	URL    string // without a slash at the end
	Socket string // path; empty where there is none

	servers []*http.Server
	ctx     context.Context //nolint:containedctx // that of everything that it passes on
	end     context.CancelFunc
}

// Start starts a relay.
func Start(o Options) (*Relay, error) {
	if err := checkBroker(o.Broker); err != nil {
		return nil, err
	}
	port, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	r := &Relay{URL: "http://" + port.Addr().String()}
	r.ctx, r.end = context.WithCancel(context.Background())
	r.serve(port, o.onPort(port.Addr().String()))
	if len(o.Hosts) == 0 {
		return r, nil
	}
	r.Socket = filepath.Join(o.Dir, "broker.sock")
	socket, err := listenPrivately(r.Socket)
	if err != nil {
		return nil, errors.Join(err, r.Close())
	}
	r.serve(socket, o.onSocket())
	return r, nil
}

// checkBroker refuses to send placeholders over a network in the clear.
func checkBroker(to *url.URL) error {
	ip := net.ParseIP(to.Hostname())
	local := to.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if to.Scheme == "https" || to.Scheme == "http" && local {
		return nil
	}
	return errors.New("the server's broker has an address without TLS: the operator must change " +
		"its URL to one that begins with https")
}

func (r *Relay) serve(l net.Listener, h http.Handler) {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, ErrorLog: log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return r.ctx },
	}
	r.servers = append(r.servers, server)
	go server.Serve(l) //nolint:errcheck // it ends when the relay is closed
}

// Close ends the relay, and every stream through it.
func (r *Relay) Close() error {
	r.end()
	var failed []error
	for _, s := range r.servers {
		failed = append(failed, s.Close())
	}
	return errors.Join(failed...)
}

// handler passes requests on unchanged, but for the path.
func (o Options) handler(path func(*http.Request) string) http.Handler {
	proxy := o.proxy(path)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := new(duplex.Exchange)
		e.Start(w, r)
		defer e.End()
		proxy.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), exchangeKey{}, e)))
	})
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *duplex.Exchange {
	e, _ := r.Context().Value(exchangeKey{}).(*duplex.Exchange)
	return e
}

func (o Options) proxy(path func(*http.Request) string) *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			to := *o.Broker
			base := strings.TrimSuffix(to.EscapedPath(), "/")
			to.Path, to.RawPath = "", ""
			to.Opaque = base + path(p.In) // as it was written, byte for byte
			to.RawQuery, to.ForceQuery = p.In.URL.RawQuery, p.In.URL.ForceQuery
			p.Out.URL, p.Out.Host, p.Out.Trailer = &to, o.Broker.Host, p.In.Trailer
			if _, given := p.In.Header["User-Agent"]; !given {
				p.Out.Header["User-Agent"] = nil // and none of Go's
			}
			if p.Out.Body != nil {
				p.Out.Body = exchangeOf(p.In).Request(p.Out.Body)
			}
		},
		ModifyResponse: func(answer *http.Response) error {
			if answer.StatusCode != http.StatusSwitchingProtocols {
				e := exchangeOf(answer.Request)
				e.Begin(answer.Header)
				answer.Body = e.Answer(answer.Body)
			}
			return nil
		},
		FlushInterval: -1, // at once
		Transport:     o.Transport,
		ErrorLog:      log.New(io.Discard, "", 0),
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if errors.Is(err, context.Canceled) || r.Context().Err() != nil {
				panic(http.ErrAbortHandler) // the program has left
			}
			exchangeOf(r).Begin(w.Header())
			unreachable(w)
		},
	}
}

func unreachable(w http.ResponseWriter) {
	w.Header().Set("Keysake-Broker", "type=api_error; rule=unreachable")
	refuse(w, "the broker cannot be reached", http.StatusBadGateway)
}

// onPort passes requests to the relay itself on, and those for https hosts through the broker's
// proxy. A request for another host in the clear would carry a placeholder there.
func (o Options) onPort(own string) http.Handler {
	proxy := o.handler(func(in *http.Request) string { return in.URL.EscapedPath() })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodConnect:
			o.connect(w, r)
		case r.URL.Host != "" && r.URL.Host != own:
			w.Header().Set("Keysake-Broker", "type=permission_error; rule=host")
			refuse(w, "the proxy of this run is for https alone", http.StatusForbidden)
		default:
			proxy.ServeHTTP(w, r)
		}
	})
}

// onSocket passes requests on whose host is one of the run's.
func (o Options) onSocket() http.Handler {
	proxy := o.handler(func(in *http.Request) string {
		return o.Hosts[strings.ToLower(in.Host)] + in.URL.EscapedPath()
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := o.Hosts[strings.ToLower(r.Host)]; !known {
			w.Header().Set("Keysake-Broker", "type=permission_error; rule=host")
			refuse(w, "the lease has no secret for this host", http.StatusForbidden)
			return
		}
		proxy.ServeHTTP(w, r)
	})
}

// refuse answers a program that speaks to a provider, and so does not read the envelope of the API.
func refuse(w http.ResponseWriter, why string, status int) {
	http.Error(w, "keysake: "+why, status) //nolint:forbidigo // it is no answer of the API
}

// A private listener accepts only connections of the user who runs this process.
type private struct{ net.Listener }

func (p private) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if err := peer.Check(c); err == nil {
			return c, nil
		}
		_ = c.Close()
	}
}

func listenPrivately(path string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(context.Background(), "unix", path)
	if err != nil {
		return nil, fmt.Errorf("the socket for gh: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return private{l}, nil
}

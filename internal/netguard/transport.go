package netguard

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"time"
)

const (
	handshakeTimeout = 10 * time.Second
	idleTimeout      = 90 * time.Second
	// continueTimeout is how long a body waits for the 100 that its client wants to see first.
	continueTimeout = time.Second
	// pingAfter is how long a connection of HTTP/2 may be silent before it is asked for a sign of
	// life.
	pingAfter = 15 * time.Second
	// streamBuffer is how much of an answer waits here for a client that reads slowly.
	streamBuffer = 64 << 10
	// maxIdle is how many connections to one host wait for the next request.
	maxIdle        = 256
	maxHeaderBytes = 256 << 10
)

// A Transport sends requests through a guard.
type Transport struct{ http *http.Transport }

// Transport returns a transport with connections of its own. It follows no proxy of the
// environment, asks for no compression, and waits for an answer as long as the request's context
// does.
func (g *Guard) Transport() *Transport {
	return &Transport{&http.Transport{
		DialContext: g.DialContext,
		TLSClientConfig: &tls.Config{
			MinVersion: tls.VersionTLS12, RootCAs: g.options.Roots,
			ClientSessionCache: tls.NewLRUClientSessionCache(0),
		},
		TLSHandshakeTimeout: handshakeTimeout,
		ForceAttemptHTTP2:   true,
		HTTP2: &http.HTTP2Config{
			SendPingTimeout: pingAfter, MaxReceiveBufferPerStream: streamBuffer,
		},
		DisableCompression:     true,
		MaxIdleConns:           4 * maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		ExpectContinueTimeout:  continueTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}}
}

// RoundTrip implements [http.RoundTripper]. It refuses every scheme but https. Its errors, and
// those of bodies, are as those of [Quiet].
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, fmt.Errorf("%w: only https is", ErrRefused)
	}
	return quiet{t.http}.RoundTrip(r)
}

// CloseIdleConnections closes the connections that wait for the next request.
func (t *Transport) CloseIdleConnections() { t.http.CloseIdleConnections() }

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// The commands that make this program a stand-in for a provider, and a bare proxy before it.
const (
	providerCommand = "serve-provider"
	proxyCommand    = "serve-proxy"
)

// providerHost is whose stand-in it is: the catalog pins it.
const providerHost = "api.openai.com"

// A standIn is who the stand-in is, and where. Only the stand-in itself is given the key.
type standIn struct {
	Certificate, Key []byte // PEM
	Address          string
}

// newStandIn makes a certificate that a provider of the catalog has on this machine alone.
func newStandIn() (s standIn, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return s, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a benchmark"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		DNSNames: []string{providerHost}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return s, err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	s.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.Key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	return s, err
}

// trusting returns the TLS of who asks the stand-in.
func (s standIn) trusting() *tls.Config {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(s.Certificate)
	return &tls.Config{RootCAs: roots, ServerName: providerHost, MinVersion: tls.VersionTLS12}
}

// The paths of the stand-in, and what it answers to a call: as long as answers of a chat are.
const (
	callPath   = "/v1/chat/completions"
	eventsPath = "/v1/responses"
	idlePath   = "/v1/realtime/idle"

	eventMark = "data: "
	// thinking is how long a stream is silent after its headers: they are not what is measured.
	thinking = time.Millisecond
)

//nolint:gochecknoglobals // a constant
var callAnswer = `{"id":"chatcmpl-1","object":"chat.completion","choices":[{"index":0,"message":{` +
	`"role":"assistant","content":"` + strings.Repeat("A text of some length. ", 40) +
	`"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":240}}`

// serveProvider is the stand-in. It looks at no credential.
func serveProvider(in io.Reader, out io.Writer) error {
	return serveSelf(in, out, func(s standIn) (*http.Server, error) {
		pair, err := tls.X509KeyPair(s.Certificate, s.Key)
		//nolint:gosec // bare, and on loopback
		return &http.Server{
			Handler: http.HandlerFunc(provide),
			TLSConfig: &tls.Config{
				Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12,
			},
		}, err
	})
}

func provide(w http.ResponseWriter, r *http.Request) {
	flush := http.NewResponseController(w).Flush
	switch r.URL.Path {
	case callPath:
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, callAnswer)
	case eventsPath:
		w.Header().Set("Content-Type", "text/event-stream")
		_ = flush()
		time.Sleep(thinking)
		// When it was written is in it: both clocks are the machine's.
		_, _ = fmt.Fprintf(w, eventMark+"%d\n\n", time.Now().UnixNano())
		_ = flush()
		<-r.Context().Done()
	case idlePath:
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, eventMark+"0\n\n")
		_ = flush()
		<-r.Context().Done()
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// serveProxy is the bare proxy: it passes everything on, to the stand-in alone.
func serveProxy(in io.Reader, out io.Writer) error {
	return serveSelf(in, out, func(s standIn) (*http.Server, error) {
		if s.Address == "" {
			return nil, errors.New("the stand-in has no address")
		}
		proxy := &httputil.ReverseProxy{
			Rewrite: func(r *httputil.ProxyRequest) {
				r.SetURL(&url.URL{Scheme: "https", Host: providerHost})
			},
			Transport: &http.Transport{
				TLSClientConfig: s.trusting(), ForceAttemptHTTP2: true, DisableCompression: true,
				MaxIdleConnsPerHost: 256,
				HTTP2: &http.HTTP2Config{ // as internal/netguard has it
					SendPingTimeout: 15 * time.Second, MaxReceiveBufferPerStream: 64 << 10,
				},
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, s.Address)
				},
			},
		}
		mux := http.NewServeMux()
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
			// Without it, a connection is closed whose answer begins before its request has ended.
			_ = http.NewResponseController(w).EnableFullDuplex()
			proxy.ServeHTTP(w, r)
			_, _ = io.Copy(io.Discard, r.Body) // the server cannot, after a full duplex
		})
		mux.HandleFunc(metricsPath, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write(allocations())
		})
		//nolint:gosec // bare, and on loopback
		return &http.Server{Handler: mux}, nil
	})
}

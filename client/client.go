// Package client is a Go client for Keysake's HTTP API. The command line uses it, and so can you.
//
// Each method makes one request, and sends it again where that is safe ([WithRetries]). Each
// refusal by the server is an [*Error]. The client sends its API key only to the server that [New]
// got, never in the clear over a network, and puts it into no error. It seals the bodies of
// requests, for which it fetches the server's sealing key once a day. The package imports wire,
// bundle, plaintext and the standard library only.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// The limits of a request. A context can set a shorter deadline.
const (
	timeout          = 30 * time.Second
	connectTimeout   = 10 * time.Second
	maxResponseBytes = 16 << 20
)

const module = "github.com/keysake/keysake"

// apiPath is where the API begins, after the path of the server's address.
const apiPath = "/api/v1"

// A Client sends requests to one server with one API key. It is safe for concurrent use.
type Client struct {
	base   string // scheme, host and path up to and including /api/v1
	key    plaintext.Value
	actFor string // the user for whom requests are done, if it is another one
	agent  string
	http   *http.Client

	sealing *sealing // nil: bodies are sent as they are
	retries int
	longest time.Duration
}

// An Option changes how a [Client] works.
type Option func(*Client)

// WithUserAgent sets the User-Agent header; the default is keysake/VERSION. A server compares its
// first product with the oldest version that it accepts.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

// ActingFor has every request done for another user, with this name or id, who has granted that to
// the user of the API key. The server answers 403 to a request that cannot be done so.
func ActingFor(user string) Option { return func(c *Client) { c.actFor = user } }

// WithTransport sets the transport, for a proxy or a test. It must not follow redirects. For a
// private certificate authority there is [WithAuthorities].
func WithTransport(t http.RoundTripper) Option { return func(c *Client) { c.http.Transport = t } }

// WithAuthorities sets the certificate authorities that may vouch for the server. It has no effect
// after [WithTransport].
func WithAuthorities(pool *x509.CertPool) Option {
	return func(c *Client) {
		if t, ok := c.http.Transport.(*http.Transport); ok {
			t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
		}
	}
}

// New returns a client that presents apiKey to the server at baseURL, such as
// https://keysake.example.org, with or without /api at its end. The zero apiKey sends none, which
// is enough for [Client.Health] and [Client.RedeemTicket]. Each try of a request ends after 30
// seconds, or when its context says so. An answer of more than 16 MiB is an error.
//
// It refuses an http URL of another machine, because the key would travel in the clear.
func New(baseURL string, apiKey plaintext.Value, opts ...Option) (*Client, error) {
	base, err := apiBase(baseURL)
	if err != nil {
		return nil, err
	}
	for _, b := range apiKey.Reveal() {
		if b <= ' ' || b > '~' {
			return nil, errors.New("client: the API key has a character that no API key has: " +
				"check what was pasted")
		}
	}
	c := &Client{
		base: base, key: apiKey, agent: "keysake/" + Version(), sealing: &sealing{},
		retries: defaultRetries, longest: defaultWait,
		http: &http.Client{
			Timeout:   timeout,
			Transport: newTransport(),
			// A redirect could lead to another host, so it becomes an error.
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
	}
	for _, opt := range opts {
		opt(c)
	}
	return c, nil
}

func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: connectTimeout}).DialContext,
		TLSHandshakeTimeout:   connectTimeout,
		ResponseHeaderTimeout: timeout,
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   16,
		ForceAttemptHTTP2:     true,
	}
}

// apiBase returns the base URL of the API at this address. Its errors do not repeat the address,
// which may contain a password.
func apiBase(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", errors.New("client: the server's address must be a URL " +
			"such as https://keysake.example.org")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("client: the server's address must have no user, query or fragment")
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api/v1"):
		return "", errors.New("client: the server's address must not end in /api/v1: omit that")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", fmt.Errorf("client: http://%s would carry the API key in the clear: use https",
			u.Host)
	}
	// Clients of the public API may have an address that ends in /api.
	base := strings.TrimSuffix(strings.TrimRight(u.String(), "/"), "/api")
	return base + apiPath, nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Version returns the version of this module in the running program, without the leading v, or
// 0.0.0-devel if the build does not record it.
func Version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if v, tagged := strings.CutPrefix(m.Version, "v"); m.Path == module && tagged {
				return v
			}
		}
	}
	return "0.0.0-devel"
}

// do sends one request with the JSON of in as its body, and decodes the response into out. Either
// may be nil. A body that was sealed to a key which the server has replaced is sealed once more.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	if in == nil {
		return c.send(ctx, method, path, nil, "", out)
	}
	plain, err := json.Marshal(in)
	if err != nil {
		return unwrapMarshal(err)
	}
	if c.sealing != nil {
		defer clear(plain)
	}
	for again := false; ; again = true {
		body, media, err := c.body(ctx, method, path, plain)
		if err != nil {
			return err
		}
		if err = c.send(ctx, method, path, body, media, out); again || !c.forget(err) {
			return err
		}
	}
}

func (c *Client) send(
	ctx context.Context, method, path string, body []byte, media string, out any,
) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if media != "" {
		req.Header.Set("Content-Type", media)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	if c.key.Len() > 0 {
		req.Header.Set("Authorization", "Bearer "+string(c.key.Reveal()))
	}
	if c.actFor != "" {
		req.Header.Set(wire.HeaderActFor, c.actFor)
	}
	asked, _ := ctx.Value(perCallKey{}).(perCall)
	asked.ask(req.Header)
	res, err := c.roundTrip(req)
	if err != nil {
		return err // a *url.Error: method, address and cause
	}
	asked.take(res.Header)
	return read(res, out)
}

// call is do for an operation that returns a T.
func call[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	err := c.do(ctx, method, path, in, &out)
	return out, err
}

// unwrapMarshal removes encoding/json's text around the error of one of our own types.
func unwrapMarshal(err error) error {
	if inner, ok := errors.AsType[*json.MarshalerError](err); ok {
		return inner.Err
	}
	return err
}

// read decodes the response into out, or returns it as an [*Error]. It does not quote a malformed
// response, which may contain a new API key.
func read(res *http.Response, out any) error {
	defer res.Body.Close() //nolint:errcheck // it was only read
	b, err := io.ReadAll(io.LimitReader(res.Body, maxResponseBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("client: the response was cut off: %w", err)
	case len(b) > maxResponseBytes:
		return fmt.Errorf("client: the response has more than %d bytes", maxResponseBytes)
	case res.StatusCode < 200 || res.StatusCode > 299:
		return problem(res, b)
	case out == nil:
		return nil
	}
	if json.Unmarshal(b, out) != nil {
		return errors.New("client: the response is not from Keysake: check the server's address")
	}
	return nil
}

// pathOf returns the path of the resource with this id below parent. It refuses an id that would
// lead to another path.
func pathOf(parent, id string) (string, error) {
	switch id {
	case "", ".", "..", "self":
		return "", fmt.Errorf("client: %q is not an id", id)
	}
	return parent + "/" + url.PathEscape(id), nil
}

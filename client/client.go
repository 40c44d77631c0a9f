// Package client speaks Keysake's HTTP API for Go programs. The command line uses it, and so may
// you.
//
// Every method is one request, and every refusal by the server is an [*Error]. The package promises
// about the credential it carries: it goes to the server that [New] was given and to no other,
// never in the clear over a network, and into no error. It imports the wire types, the plaintext
// leaf and the standard library only.
package client

import (
	"bytes"
	"context"
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
)

// What a request may cost.
const (
	// the whole exchange; a shorter deadline is the context's to set
	timeout        = 30 * time.Second
	connectTimeout = 10 * time.Second
	maxAnswerBytes = 16 << 20
)

const module = "github.com/keysake/keysake"

// A Client sends requests to one server with one API key. It is safe for concurrent use.
type Client struct {
	base  string // scheme, host and path up to and including /api/v1
	key   plaintext.Value
	agent string
	http  *http.Client
}

// An Option changes how a [Client] works.
type Option func(*Client)

// WithUserAgent sets the User-Agent header in place of keysake/VERSION. Servers compare its first
// product with the oldest version that they accept.
func WithUserAgent(agent string) Option { return func(c *Client) { c.agent = agent } }

// WithTransport sets what carries the requests, for a private certificate authority or a test. It
// must not follow redirects.
func WithTransport(t http.RoundTripper) Option { return func(c *Client) { c.http.Transport = t } }

// New returns a client for the server at baseURL, such as https://keysake.example.org, which
// presents apiKey. The zero apiKey sends none; that is enough for [Client.Health].
//
// It refuses an http URL whose host is not this machine, because the key would travel in the clear.
func New(baseURL string, apiKey plaintext.Value, opts ...Option) (*Client, error) {
	base, err := apiBase(baseURL)
	if err != nil {
		return nil, err
	}
	for _, b := range apiKey.Reveal() {
		if b <= ' ' || b > '~' {
			return nil, errors.New(
				"client: an API key has visible ASCII characters only: check what was pasted",
			)
		}
	}
	c := &Client{base: base, key: apiKey, agent: "keysake/" + Version(), http: &http.Client{
		Timeout:   timeout,
		Transport: newTransport(),
		// A redirect could name another host; the answer itself is made an error.
		CheckRedirect: func(
			*http.Request, []*http.Request,
		) error {
			return http.ErrUseLastResponse
		},
	}}
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

// apiBase checks a server's address. Its errors do not repeat an address that may hold a password.
func apiBase(address string) (string, error) {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https"):
		return "", errors.New(
			"client: the server's address must be a URL like https://keysake.example.org",
		)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("client: the server's address must have no user, query or fragment")
	case strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/api/v1"):
		return "", errors.New("client: the server's address is needed without /api/v1")
	case u.Scheme == "http" && !isLoopback(u.Hostname()):
		return "", fmt.Errorf(
			"client: http://%s would carry the API key in the clear: use https",
			u.Host,
		)
	}
	return strings.TrimRight(u.String(), "/") + "/api/v1", nil
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Version returns the version of this module that the running program was built with, without the
// leading v, or 0.0.0-devel where the build does not say.
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

// do sends one request: in as its JSON body where it is not nil, the answer into out where that is
// not nil.
func (c *Client) do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader = http.NoBody
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return unwrapMarshal(err)
		}
		body = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.agent)
	if c.key.Len() > 0 {
		req.Header.Set("Authorization", "Bearer "+string(c.key.Reveal()))
	}
	res, err := c.http.Do(req)
	if err != nil {
		return err // a *url.Error: method, address and cause
	}
	return read(res, out)
}

// answer is do for an operation that answers with a T.
func answer[T any](ctx context.Context, c *Client, method, path string, in any) (T, error) {
	var out T
	err := c.do(ctx, method, path, in, &out)
	return out, err
}

// unwrapMarshal takes off what encoding/json says around the error of one of our own types.
func unwrapMarshal(err error) error {
	if inner, ok := errors.AsType[*json.MarshalerError](err); ok {
		return inner.Err
	}
	return err
}

// read takes the answer into out, or makes it an [*Error]. What is no JSON is not quoted: an answer
// may hold a new API key.
func read(res *http.Response, out any) error {
	defer res.Body.Close() //nolint:errcheck // nothing was written, so closing has nothing to tell
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswerBytes+1))
	switch {
	case err != nil:
		return fmt.Errorf("client: the answer broke off: %w", err)
	case len(b) > maxAnswerBytes:
		return fmt.Errorf("client: the answer has more than %d bytes", maxAnswerBytes)
	case res.StatusCode < 200 || res.StatusCode > 299:
		return problem(res, b)
	case out == nil:
		return nil
	}
	if json.Unmarshal(b, out) != nil {
		return errors.New("client: the answer is not one of Keysake's: check the server's address")
	}
	return nil
}

// pathOf returns the path of what has this id below parent. It refuses what would be another path.
func pathOf(parent, id string) (string, error) {
	switch id {
	case "", ".", "..", "self":
		return "", fmt.Errorf("client: %q is no id", id)
	}
	return parent + "/" + url.PathEscape(id), nil
}

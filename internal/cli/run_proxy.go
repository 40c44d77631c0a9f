package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keysake/keysake/wire"
)

// rootVariables are those from which programs read whose certificates they trust.
func rootVariables() []string {
	return []string{
		"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE",
		"GIT_SSL_CAINFO", "AWS_CA_BUNDLE", "CARGO_HTTP_CAINFO", "DENO_CERT",
		"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
	}
}

// systemRoots are where systems keep the certificates that they trust.
func systemRoots() []string {
	return []string{
		"/etc/ssl/certs/ca-certificates.crt",
		"/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem",
		"/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
		"/etc/ssl/cert.pem",
	}
}

const maxRoots = 4 << 20 // bytes of a file of certificates

// setProxy leads programs with fixed hosts to the broker: it is their proxy, and they trust an
// authority that is for the hosts of this lease alone.
func (a *app) setProxy(
	ctx context.Context, b *brokering, made *wire.LeaseBroker, to http.RoundTripper,
) error {
	if at, err := url.Parse(made.URL); err != nil || strings.Trim(at.Path, "/") != "" {
		return errors.New("the proxy of the broker cannot be reached: its URL has a path, and " +
			"programs connect to a port; the operator must give it a host of its own")
	}
	placeholder := made.Secrets[0].Placeholder
	text, err := fetchAuthority(ctx, to, made.URL, placeholder)
	if err != nil {
		return fmt.Errorf("the proxy of the broker: %w", err)
	}
	authority, err := checkAuthority(text, b.hosts)
	if err != nil {
		return fmt.Errorf("the proxy of the broker: %w", err)
	}
	roots, err := a.roots()
	if err != nil {
		return err
	}
	path := filepath.Join(b.dir, "roots.pem")
	if err := os.WriteFile(path, append(roots, authority...), 0o600); err != nil {
		return err
	}
	for _, name := range rootVariables() {
		b.set(name, path)
	}
	b.set("NODE_USE_ENV_PROXY", "1")
	proxy, err := url.Parse(b.relay.URL)
	if err != nil {
		return err
	}
	proxy.User = url.UserPassword("keysake", placeholder)
	names := []string{"HTTPS_PROXY"}
	if made.Limits.Egress == nil || *made.Limits.Egress != wire.EgressOpen {
		names = append(names, "HTTP_PROXY", "ALL_PROXY") // which refuses what is not https
	}
	for _, name := range names {
		b.set(name, proxy.String())
		b.set(strings.ToLower(name), proxy.String())
	}
	return nil
}

// roots returns the certificates that programs trust without the broker: those of the system, or
// of the file that is in their place, and those of other files that the environment names.
func (a *app) roots() ([]byte, error) {
	var files []string
	for _, name := range rootVariables() {
		if path := a.getenv(name); path != "" && !slices.Contains(files, path) {
			files = append(files, path)
		}
	}
	if a.getenv("SSL_CERT_FILE") == "" {
		for _, path := range systemRoots() {
			if _, err := os.Stat(path); err == nil {
				files = append(files, path)
				break
			}
		}
	}
	var all []byte
	for _, path := range files {
		text, err := readSmall(path, maxRoots)
		if err != nil {
			return nil, fmt.Errorf("the certificates that programs trust: %w", err)
		}
		all = append(append(all, text...), '\n')
	}
	return all, nil
}

const maxAuthority = 64 << 10 // bytes

// fetchAuthority gets who signs the certificates of the broker's proxy, which a placeholder of the
// lease opens.
func fetchAuthority(
	ctx context.Context, to http.RoundTripper, broker, placeholder string,
) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	at := strings.TrimSuffix(broker, "/") + "/-/ca.pem"
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, at, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+placeholder)
	answer, err := to.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAuthority))
	switch {
	case err != nil:
		return nil, err
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %d", at, answer.StatusCode)
	}
	return text, nil
}

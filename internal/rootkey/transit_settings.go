package rootkey

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	neturl "net/url"
	"os"
	"strings"
	"sync"

	"github.com/keysake/keysake/internal/keyurl"
	"github.com/keysake/keysake/internal/netguard"
)

const maxToken = 16 << 10

// openTransit returns the key of that name. It reads the service's own variables: VAULT_ADDR,
// VAULT_TOKEN or VAULT_TOKEN_FILE, VAULT_NAMESPACE, VAULT_CACERT, VAULT_CLIENT_CERT and
// VAULT_CLIENT_KEY; also VAULT_SERVER_URL and VAULT_SERVER_TOKEN. It makes no request.
func openTransit(name keyurl.Name) (*transit, error) {
	address, err := transitAddress(firstOf("VAULT_SERVER_URL", "VAULT_ADDR"))
	if err != nil {
		return nil, err
	}
	token := &tokenSource{
		file: firstOf("VAULT_TOKEN_FILE"), token: firstOf("VAULT_SERVER_TOKEN", "VAULT_TOKEN"),
	}
	if token.file != "" && token.token != "" {
		return nil, errors.New("VAULT_TOKEN and VAULT_TOKEN_FILE are both set: unset one of them")
	}
	tlsConfig, err := transitTLS()
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = tlsConfig
	mount := name.Parts[1]
	if mount == "" {
		mount = defaultMount
	}
	return &transit{
		client: &http.Client{
			Transport: netguard.Quiet(transport),
			// The token and the owner key go to the configured address only.
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
		engine:    address + "/v1/" + mount,
		key:       name.Parts[0],
		namespace: firstOf("VAULT_NAMESPACE"),
		token:     token,
	}, nil
}

// transitAddress checks an address. Over http: it must be of this machine: owner keys travel.
func transitAddress(address string) (string, error) {
	if address == "" {
		return "", errors.New("VAULT_ADDR is not set: set it to the address of the service")
	}
	u, err := neturl.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The cause may quote it.
		return "", errors.New("VAULT_ADDR must be an address such as https://vault.example:8200")
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && ip.Unmap().IsLoopback()
	if u.Scheme != "https" && (u.Scheme != "http" || !local) {
		return "", errors.New(
			"VAULT_ADDR must begin with https://, unless the service is local")
	}
	return strings.TrimRight(u.String(), "/"), nil
}

func transitTLS() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if skip := firstOf("VAULT_SKIP_VERIFY"); skip != "" && skip != "0" && skip != "false" {
		return nil, errors.New("VAULT_SKIP_VERIFY is set: unset it, and name the authority of " +
			"the certificate with VAULT_CACERT")
	}
	if path := firstOf("VAULT_CACERT"); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("VAULT_CACERT: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("VAULT_CACERT: %s has no certificate", path)
		}
	}
	cert, key := firstOf("VAULT_CLIENT_CERT"), firstOf("VAULT_CLIENT_KEY")
	if cert != "" || key != "" {
		pair, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			return nil, fmt.Errorf("VAULT_CLIENT_CERT and VAULT_CLIENT_KEY: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// A tokenSource is where the token of a key service comes from. A file is read again when the
// service refuses what it held: an agent writes a new one there before the old one expires.
type tokenSource struct {
	file string

	mu    sync.Mutex
	token string
}

func (s *tokenSource) current() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token != "" || s.file == "" {
		return s.token, nil
	}
	var err error
	s.token, err = readToken(s.file)
	return s.token, err
}

// renewed returns the token after one that was refused, if there is another one.
func (s *tokenSource) renewed(refused string) (token string, changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == refused && s.file != "" { // otherwise another call has read it
		if next, err := readToken(s.file); err == nil {
			s.token = next
		}
	}
	return s.token, s.token != refused
}

// readToken reads a file that may hold a token and a newline. No error shows its content.
func readToken(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("VAULT_TOKEN_FILE: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("VAULT_TOKEN_FILE: %w", err)
	}
	text = bytes.TrimSpace(text)
	odd := func(r rune) bool { return r <= ' ' || r >= 0x7f }
	if len(text) == 0 || len(text) > maxToken || bytes.ContainsFunc(text, odd) {
		return "", fmt.Errorf("VAULT_TOKEN_FILE: %s holds no token", path)
	}
	return string(text), nil
}

// firstOf returns the first of these variables that is not empty.
func firstOf(names ...string) string {
	for _, name := range names {
		value := os.Getenv(name) //nolint:forbidigo // every client of the service reads these
		if value != "" {
			return value
		}
	}
	return ""
}

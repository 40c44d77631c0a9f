package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const fileScheme = "file:"

// The bounds of what is said about key services.
const (
	// longer than any request waits between opening a key and using it
	minKeyCacheTTL       = 10 * time.Second
	maxKeyServiceTimeout = 9 * time.Second
)

// versionPattern has the versions that package api compares: up to six numbers, and perhaps a
// pre-release as semantic versioning or PEP 440 write it.
var (
	versionPattern = regexp.MustCompile(`^\d{1,9}(\.\d{1,9}){0,5}([-._]?[A-Za-z][0-9A-Za-z._-]*)?$`)
	tokenPattern   = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110, section 5.6.2
)

func isToken(s string) bool { return tokenPattern.MatchString(s) }

// Validate tells everything that is wrong, each in one line that says what to do. What needs the
// disk or the network to know is not asked here.
func (c Config) Validate() error {
	return errors.Join(
		c.validStorage(),
		c.validListen(),
		c.validTLS(),
		c.validClients(),
		c.validLimits(),
		c.validRest(),
	)
}

func (c Config) validStorage() error {
	switch {
	case c.Data == "":
		return errors.New(
			"--data is missing: name the folder of the database (or use --dev to try Keysake out)",
		)
	case filepath.Dir(filepath.Clean(c.Data)) == filepath.Clean(c.Data) && filepath.IsAbs(c.Data):
		return errors.New(
			"--data must not be the root of the file system: name a folder of its own",
		)
	case c.RootPassphraseFile != "" && c.RootPassphraseFD != 0:
		return errors.New(
			"--root-passphrase-file and --root-passphrase-fd are two places for one passphrase: give one",
		)
	case c.RootPassphraseFD < 0:
		return errors.New(
			"--root-passphrase-fd must be the number of an open file descriptor, from 3",
		)
	case c.KeyCacheTTL < minKeyCacheTTL:
		return errors.New("--key-cache-ttl must be at least 10s, such as 1h")
	case c.KeyServiceTimeout <= 0 || c.KeyServiceTimeout > maxKeyServiceTimeout:
		return errors.New(
			"--key-service-timeout must be more than 0 and at most 9s, because a request may take 10s",
		)
	}
	return nil
}

func (c Config) validListen() error {
	host, err := hostOf(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %w", err)
	}
	if c.AdminListen != "" {
		if _, err := hostOf(c.AdminListen); err != nil {
			return fmt.Errorf("--admin-listen %w", err)
		}
	}
	if !isLoopback(host) && c.TLSCert == "" && !c.BehindTLSProxy {
		return fmt.Errorf(
			"--listen %s would carry secrets in the clear beyond this machine: give --tls-cert and --tls-key, "+
				"or --behind-tls-proxy if a proxy in front does the TLS",
			c.Listen,
		)
	}
	return nil
}

// hostOf checks an address to listen on and returns its host, empty for every address of this
// machine.
func hostOf(address string) (string, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		return "", fmt.Errorf("%q must be ADDRESS:PORT, such as 127.0.0.1:8420", address)
	}
	return host, nil
}

// isLoopback takes no name but localhost for this machine: what others resolve to is not known
// before, nor for long.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}

func (c Config) validTLS() error {
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		return errors.New("--tls-cert needs --tls-key, the certificate's private key")
	case c.TLSKey != "" && c.TLSCert == "":
		return errors.New("--tls-key needs --tls-cert, the key's certificate")
	}
	return nil
}

func (c Config) validClients() error {
	seen := map[string]bool{}
	for _, m := range c.MinClients {
		name := strings.ToLower(m.Name) // as it is compared
		if seen[name] {
			return fmt.Errorf("--min-client has %s twice: keep one version", m.Name)
		}
		seen[name] = true
	}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			return fmt.Errorf(
				"--trusted-proxies %s would let every client choose its own address: name the proxies' network",
				p,
			)
		}
	}
	return nil
}

func (c Config) validLimits() error {
	const (
		most         = 1e9
		mostVersions = 100
	)
	switch {
	case !(c.RateLimit >= 0 && c.RateLimit <= most): // NaN is neither
		return errors.New("--rate-limit must be between 0 (no limit) and 1000000000")
	case c.RateBurst < 1:
		return errors.New("--rate-burst must be at least 1")
	case c.AuthFailureLimit < 0:
		return errors.New("--auth-failure-limit must be 0 (no limit) or more")
	case c.MaxSecrets < 1:
		return errors.New("--max-secrets must be at least 1")
	case c.KeepVersions < 1 || c.KeepVersions > mostVersions:
		return fmt.Errorf(
			"--keep-versions must be between 1, which keeps none before the current one, and %d",
			mostVersions,
		)
	}
	return nil
}

func (c Config) validRest() error {
	switch {
	case c.LogFormat != "text" && c.LogFormat != "json":
		return errors.New("--log-format must be text or json")
	case c.ShutdownTimeout <= 0:
		return errors.New("--shutdown-timeout must be more than 0s")
	}
	return nil
}

package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const (
	// minKeyCacheTTL is longer than any request uses a key after opening it.
	minKeyCacheTTL = 10 * time.Second
	// maxKeyServiceTimeout is shorter than the time that a request to the API may take.
	maxKeyServiceTimeout = 9 * time.Second

	// minCheckpointEvery keeps the audit log from being about itself.
	minCheckpointEvery = time.Minute

	maxRateLimit    = 1e9
	maxDatabase     = 1000
	maxKeepVersions = 100
)

var (
	// versionPattern accepts the versions that package api can compare: up to six numbers, with an
	// optional pre-release as in semantic versioning or PEP 440.
	versionPattern = regexp.MustCompile(`^\d{1,9}(\.\d{1,9}){0,5}([-._]?[A-Za-z][0-9A-Za-z._-]*)?$`)
	tokenPattern   = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$") // RFC 9110, section 5.6.2
)

// Validate returns everything that is wrong, one error per line, each with what to do. It does not
// use the disk or the network.
func (c Config) Validate() error {
	return errors.Join(
		c.validateStorage(), c.ValidateDatabase(), c.validateListen(), c.validateTLS(),
		c.validateClients(), c.validateLimits(), c.validateOther(), c.validateBroker(),
		c.validateSignIn(), c.ValidateWebhook(),
	)
}

// validateBroker refuses an address at which placeholders would travel in the clear.
func (c Config) validateBroker() error {
	if c.BrokerURL == "" {
		return nil
	}
	if _, ok := safeURL(c.BrokerURL); ok {
		return nil
	}
	return errors.New("--broker-url must be an https URL, or an http URL of this machine, such " +
		"as http://127.0.0.1:8421")
}

// ValidateWebhook refuses an address at which names of secrets would travel in the clear, and one
// whose events nobody could tell from others.
func (c Config) ValidateWebhook() error {
	switch {
	case c.WebhookURL == "" && c.WebhookKeyFile == "":
		return nil
	case c.WebhookURL == "":
		return errors.New("--webhook-url is missing: --webhook-key-file is for it")
	case c.WebhookKeyFile == "":
		return errors.New("--webhook-key-file is missing: --webhook-url needs it")
	}
	u, err := url.Parse(c.WebhookURL)
	named := err == nil && u.Hostname() != "" && u.User == nil && u.Fragment == ""
	if named && (u.Scheme == "https" || c.Dev && u.Scheme == "http" && isLoopback(u.Hostname())) {
		return nil
	}
	return errors.New("--webhook-url must be an https URL without a user or a fragment, or " +
		"with --dev an http URL of this machine")
}

// safeURL returns a URL that is https, or http of this machine.
func safeURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		u.User != nil {
		return nil, false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
	return u, u.Scheme == "https" || u.Scheme == "http" && local
}

func (c Config) validateStorage() error {
	data := filepath.Clean(c.Data)
	switch {
	case c.Data == "":
		return errors.New(
			"--data is missing: name the folder of the database, or use --dev to try Keysake out")
	case filepath.Dir(data) == data && filepath.IsAbs(data):
		return errors.New(
			"--data must not be the root of the file system: name a folder of its own")
	case c.RootPassphraseFile != "" && c.RootPassphraseFD != 0:
		return errors.New("--root-passphrase-file and --root-passphrase-fd cannot be combined: " +
			"give one of them")
	case c.RootPassphraseFD < 0:
		return errors.New(
			"--root-passphrase-fd must be the number of an open file descriptor, 3 or higher")
	case c.KeyCacheTTL < minKeyCacheTTL:
		return fmt.Errorf("--key-cache-ttl must be at least %s, such as 1h", minKeyCacheTTL)
	case c.KeyServiceTimeout <= 0 || c.KeyServiceTimeout > maxKeyServiceTimeout:
		return fmt.Errorf("--key-service-timeout must be more than 0s and at most %s: "+
			"a request may take 10s", maxKeyServiceTimeout)
	case c.KMSHelper != "" && !filepath.IsAbs(c.KMSHelper):
		return errors.New("--kms-helper must be an absolute path")
	}
	return nil
}

// ValidateDatabase returns what is wrong in the settings of a database of PostgreSQL.
func (c Config) ValidateDatabase() error {
	switch {
	case c.DatabaseURL != "" && !strings.HasPrefix(c.DatabaseURL, "postgres://") &&
		!strings.HasPrefix(c.DatabaseURL, "postgresql://"):
		return errors.New("--database-url must begin with postgres://")
	case c.DatabasePasswordFile != "" && c.DatabaseURL == "":
		return errors.New("--database-password-file needs --database-url")
	case c.DatabaseURL != "" && (c.DatabaseConnections < 2 || c.DatabaseConnections > maxDatabase):
		return fmt.Errorf("--database-connections must be from 2 to %d", maxDatabase)
	case c.SharedRateLimits && (c.DatabaseURL == "" || c.DatabasePooler):
		return errors.New("--shared-rate-limits needs --database-url, and no --database-pooler")
	}
	return nil
}

func (c Config) validateListen() error {
	host, err := hostOf(c.Listen)
	if err != nil {
		return fmt.Errorf("--listen %w", err)
	}
	if c.AdminListen != "" {
		if _, err := hostOf(c.AdminListen); err != nil {
			return fmt.Errorf("--admin-listen %w", err)
		}
	}
	if c.BrokerListen != "" && c.BrokerListen != NoBroker {
		broker, err := hostOf(c.BrokerListen)
		if err != nil {
			return fmt.Errorf("--broker-listen %w", err)
		}
		if !isLoopback(broker) && c.TLSCert == "" && !c.BehindTLSProxy {
			return fmt.Errorf("--broker-listen %s would send placeholders over the network "+
				"unencrypted: give --tls-cert and --tls-key, or --behind-tls-proxy if a proxy in "+
				"front handles TLS", c.BrokerListen)
		}
	}
	if !isLoopback(host) && c.TLSCert == "" && !c.BehindTLSProxy {
		return fmt.Errorf("--listen %s would send secrets over the network unencrypted: "+
			"give --tls-cert and --tls-key, or --behind-tls-proxy if a proxy in front handles TLS",
			c.Listen)
	}
	return nil
}

// hostOf returns the host of an address to listen on. It is empty for all addresses of the machine.
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

// isLoopback accepts no name but localhost: what other names resolve to may change.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}

func (c Config) validateTLS() error {
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		return errors.New("--tls-cert needs --tls-key: give the private key of the certificate")
	case c.TLSKey != "" && c.TLSCert == "":
		return errors.New("--tls-key needs --tls-cert: give the certificate of the private key")
	}
	return nil
}

func (c Config) validateClients() error {
	seen := map[string]bool{}
	for _, m := range c.MinClients {
		name := strings.ToLower(m.Name) // names are compared in lower case
		if seen[name] {
			return fmt.Errorf("--min-client has %s twice: keep one version", m.Name)
		}
		seen[name] = true
	}
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			return fmt.Errorf("--trusted-proxies %s would let every client choose its address: "+
				"name the network of the proxies", p)
		}
	}
	return nil
}

func (c Config) validateLimits() error {
	switch {
	case !(c.RateLimit >= 0 && c.RateLimit <= maxRateLimit): // also refuses NaN
		return fmt.Errorf("--rate-limit must be between 0 (no limit) and %.0f", maxRateLimit)
	case c.RateBurst < 1:
		return errors.New("--rate-burst must be at least 1")
	case !(c.UserRateLimit >= 0 && c.UserRateLimit <= maxRateLimit):
		return fmt.Errorf("--user-rate-limit must be between 0 (no limit) and %.0f", maxRateLimit)
	case c.UserRateBurst < 1:
		return errors.New("--user-rate-burst must be at least 1")
	case c.MaxConnections < 0:
		return errors.New("--max-connections must be 0 or more")
	case c.MaxConnectionsEach < 0:
		return errors.New("--max-connections-each must be 0 or more")
	case c.AuthFailureLimit < 0:
		return errors.New("--auth-failure-limit must be 0 (no limit) or more")
	case c.MaxSecrets < 1:
		return errors.New("--max-secrets must be at least 1")
	case c.KeepVersions < 1 || c.KeepVersions > maxKeepVersions:
		return fmt.Errorf("--keep-versions must be between 1, which keeps only the current one, "+
			"and %d", maxKeepVersions)
	}
	return nil
}

func (c Config) validateOther() error {
	switch {
	case c.MinFreeSpace < 0:
		return errors.New("--min-free-space must be 0 or more")
	case c.LogFormat != "text" && c.LogFormat != "json":
		return errors.New("--log-format must be text or json")
	case c.DeleteDelay < 0:
		return errors.New("--delete-delay must be 0 or more")
	case c.NoDeleteNow && c.DeleteDelay == 0:
		return errors.New("--no-delete-now needs a --delete-delay of more than 0")
	case c.ShutdownTimeout <= 0:
		return errors.New("--shutdown-timeout must be more than 0s")
	case c.CheckpointEvery != 0 && c.CheckpointEvery < minCheckpointEvery:
		return fmt.Errorf("--checkpoint-every must be at least %s, or 0 for never",
			minCheckpointEvery)
	}
	return nil
}

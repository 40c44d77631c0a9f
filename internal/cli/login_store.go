package cli

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/plaintext"
)

const (
	urlVariable        = "KEYSAKE_URL"
	apiKeyVariable     = "KEYSAKE_API_KEY"
	apiKeyFileVariable = "KEYSAKE_API_KEY_FILE"
	profileVariable    = "KEYSAKE_PROFILE"
	caCertVariable     = "KEYSAKE_CA_CERT"
	noSealingVariable  = "KEYSAKE_NO_SEALING"
	configDirVariable  = "KEYSAKE_CONFIG_DIR"

	defaultURL = "http://127.0.0.1:8420" // where "keysake serve" listens
)

// A login is a server and an API key for it.
type login struct {
	URL    string          `json:"url"`
	APIKey plaintext.Value `json:"api_key"`
	CACert string          `json:"ca_cert,omitempty"` // the file of the authority that it trusts
	Own    bool            `json:"own,omitempty"`     // the key was made for this login alone
	KeptIn string          `json:"kept_in,omitempty"` // of a file without a key: [inKeyring]

	from string // what named it, for people
}

// client returns a client for a login. It says so if that seals nothing.
func (a *app) client(l login, opts ...client.Option) (*client.Client, error) {
	opts = append(opts, client.WithUserAgent("keysake/"+programVersion()))
	off, err := a.sealingIsOff()
	if err != nil {
		return nil, err
	}
	if off {
		a.infof("Warning: sealing is off (--no-sealing): what ends TLS or logs requests on the " +
			"way sees the values in them.")
		opts = append(opts, client.WithoutSealing())
	}
	if l.CACert != "" {
		pool, err := readAuthority(l.CACert)
		if err != nil {
			return nil, err
		}
		opts = append(opts, client.WithAuthorities(pool))
	}
	return client.New(l.URL, l.APIKey, opts...)
}

// sealingIsOff reports what the flag says or, without it, the variable.
func (a *app) sealingIsOff() (bool, error) {
	text := a.getenv(noSealingVariable)
	if a.noSealing.Changed {
		text = a.noSealing.Value.String()
	}
	if text == "" {
		return false, nil
	}
	off, err := strconv.ParseBool(text)
	if err != nil {
		return false, usagef("%s must be true or false", noSealingVariable)
	}
	return off, nil
}

// readAuthority returns the certificates in a file, as the only ones that are trusted.
func readAuthority(file string) (*x509.CertPool, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority: %w: give its file with --ca-cert", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("the certificate authority: %s has no certificate in PEM", file)
	}
	return pool, nil
}

// errNoLogin reports that a command has no server to talk to.
var errNoLogin = errors.New(
	`not logged in: run "keysake login", or set KEYSAKE_URL and KEYSAKE_API_KEY`,
)

// connect returns a client for the current login.
func (a *app) connect() (*client.Client, error) { return a.connectFor("") }

// connectFor is connect for what is done for another user, by name or id; empty for one's own.
func (a *app) connectFor(user string) (*client.Client, error) {
	c, _, err := a.connected(client.ActingFor(user))
	return c, err
}

// connected returns a client for the current login, and that login.
func (a *app) connected(opts ...client.Option) (*client.Client, login, error) {
	l, err := a.currentLogin()
	if err != nil {
		return nil, login{}, err
	}
	c, err := a.client(l, opts...)
	return c, l, err
}

// currentLogin is the profile that --profile names. Without the flag, it takes URL and key each
// from its variable and, if that is not set, from the stored login. A stored key never goes to a
// server that only the variable names: otherwise setting a variable would be enough to steal it.
func (a *app) currentLogin() (login, error) {
	l, err := a.chosenLogin()
	if file := cmp.Or(a.caCert, a.getenv(caCertVariable)); file != "" {
		l.CACert = file
	}
	return l, err
}

func (a *app) chosenLogin() (login, error) {
	if a.profile != "" {
		return a.profileLogin()
	}
	key, source, err := a.keyOfEnvironment()
	if err != nil {
		return login{}, err
	}
	given := login{URL: a.getenv(urlVariable), APIKey: key, from: source}
	hasKey := given.APIKey.Len() > 0
	if given.URL != "" && hasKey {
		return given, nil
	}
	stored, err := a.storedLogin()
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.getenv(profileVariable) != "":
		return a.profileLogin()
	case errors.Is(err, fs.ErrNotExist) && hasKey:
		given.URL = defaultURL
		return given, nil
	case errors.Is(err, fs.ErrNotExist):
		return devLogin(given.URL)
	case err != nil:
		return login{}, err
	case hasKey:
		given.URL, given.CACert = stored.URL, stored.CACert
		return given, nil
	case given.URL != "" && strings.TrimRight(given.URL, "/") != strings.TrimRight(stored.URL, "/"):
		return login{}, fmt.Errorf("%w; the stored login is for another server than %s names",
			errNoLogin, urlVariable)
	}
	return stored, nil
}

// profileLogin is the stored login of a profile that was named.
func (a *app) profileLogin() (login, error) {
	l, err := a.storedLogin()
	if errors.Is(err, fs.ErrNotExist) {
		return l, fmt.Errorf("%w: there is no login of the profile %s: "+
			"run \"keysake login --profile %[2]s\"", errNoLogin, a.profileName())
	}
	return l, err
}

// keyOfEnvironment returns the API key in the environment, or in the file that it names, without
// white space around it; and which variable it was.
func (a *app) keyOfEnvironment() (plaintext.Value, string, error) {
	if text := strings.TrimSpace(a.getenv(apiKeyVariable)); text != "" {
		return plaintext.FromString(text), apiKeyVariable, nil
	}
	file := a.getenv(apiKeyFileVariable)
	if file == "" {
		return plaintext.Value{}, "", nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return plaintext.Value{}, "", fmt.Errorf("%s: %w", apiKeyFileVariable, err)
	}
	key := trimmed(plaintext.Own(b))
	if key.Len() == 0 {
		return key, "", fmt.Errorf("%s: %s is empty", apiKeyFileVariable, file)
	}
	return key, apiKeyFileVariable, nil
}

func (a *app) getenv(name string) string {
	v, _ := a.env(name)
	return v
}

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/plaintext"
)

const (
	urlVariable       = "KEYSAKE_URL"
	apiKeyVariable    = "KEYSAKE_API_KEY"
	configDirVariable = "KEYSAKE_CONFIG_DIR"

	defaultURL = "http://127.0.0.1:8420" // where "keysake serve" listens
)

// A login is a server and an API key for it.
type login struct {
	URL    string          `json:"url"`
	APIKey plaintext.Value `json:"api_key"`
}

func (l login) client() (*client.Client, error) {
	return client.New(l.URL, l.APIKey, client.WithUserAgent("keysake/"+programVersion()))
}

// errNoLogin reports that a command has no server to talk to.
var errNoLogin = errors.New(
	`not logged in: run "keysake login", or set KEYSAKE_URL and KEYSAKE_API_KEY`,
)

// connect returns a client for the current login.
func (a *app) connect() (*client.Client, error) {
	l, err := a.currentLogin()
	if err != nil {
		return nil, err
	}
	return l.client()
}

// currentLogin takes URL and key each from its variable and, if that is not set, from the stored
// login. A stored key never goes to a server that only the variable names: otherwise setting a
// variable would be enough to steal the key.
func (a *app) currentLogin() (login, error) {
	given := login{
		URL:    a.getenv(urlVariable),
		APIKey: plaintext.FromString(a.getenv(apiKeyVariable)),
	}
	hasKey := given.APIKey.Len() > 0
	if given.URL != "" && hasKey {
		return given, nil
	}
	stored, err := a.storedLogin()
	switch {
	case errors.Is(err, fs.ErrNotExist) && hasKey:
		given.URL = defaultURL
		return given, nil
	case errors.Is(err, fs.ErrNotExist):
		return login{}, errNoLogin
	case err != nil:
		return login{}, err
	case hasKey:
		given.URL = stored.URL
		return given, nil
	case given.URL != "" && strings.TrimRight(given.URL, "/") != strings.TrimRight(stored.URL, "/"):
		return login{}, fmt.Errorf("%w; the stored login is for another server than %s names",
			errNoLogin, urlVariable)
	}
	return stored, nil
}

func (a *app) getenv(name string) string {
	v, _ := a.env(name)
	return v
}

// loginPath returns where the login is stored.
func (a *app) loginPath() (string, error) {
	dir := a.getenv(configDirVariable)
	if dir == "" {
		base, err := os.UserConfigDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the login: set %s: %w", configDirVariable, err)
		}
		dir = filepath.Join(base, "keysake")
	}
	return filepath.Join(dir, "login.json"), nil
}

// storedLogin reads the stored login. It refuses a file that others can read, because they may have
// the key already. The error is [fs.ErrNotExist] without a login, and never quotes the file.
func (a *app) storedLogin() (login, error) {
	path, err := a.loginPath()
	if err != nil {
		return login{}, fs.ErrNotExist // no folder, no login
	}
	info, err := os.Stat(path)
	if err != nil {
		return login{}, err
	}
	if privatefile.CheckMode(info) != nil {
		return login{}, fmt.Errorf(
			"others can read %s: make it 0600, and consider revoking its API key", path,
		)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return login{}, err
	}
	defer clear(b)
	var l login
	if json.Unmarshal(b, &l) != nil || l.URL == "" {
		return login{}, fmt.Errorf(`%s is damaged: run "keysake login" again`, path)
	}
	return l, nil
}

// storeLogin writes the login whole or not at all, and returns its path.
func (a *app) storeLogin(l login) (path string, err error) {
	if path, err = a.loginPath(); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	b, err := json.Marshal(map[string]string{"url": l.URL, "api_key": string(l.APIKey.Reveal())})
	if err != nil {
		return "", err
	}
	defer clear(b)
	return path, privatefile.Replace(path, privatefile.Content(b))
}

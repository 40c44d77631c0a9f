// Package apptest starts a whole server on a temporary data folder, for anyone's test.
package apptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A Server runs in the test's process, on a socket of its own.
type Server struct {
	URL  string
	Key  plaintext.Value // the API key of the user dev: every scope
	Data string
	Logs *Buffer

	DatabaseURL string // empty for a file in the folder

	stop context.CancelFunc
	done chan error
}

// Config returns the settings of a development server on an empty temporary folder, without limits
// on the rate.
func Config(tb testing.TB) config.Config {
	tb.Helper()
	cfg := ConfigIn(tb.TempDir())
	if Database != nil {
		cfg.DatabaseURL, cfg.DatabaseConnections = Database(tb), 4
	}
	return cfg
}

// Database makes an empty database for each test's server, and returns its URL. Where the database
// is a file in the data folder it is nil, or the URL empty. Tests set it before they run a second
// time.
var Database func(testing.TB) (url string)

// ConfigIn is Config with the data in a new folder below dir.
func ConfigIn(dir string) config.Config {
	return config.Config{
		Listen:            "127.0.0.1:0",
		Data:              filepath.Join(dir, "data"),
		Dev:               true,
		MaxSecrets:        200,
		KeepVersions:      5,
		MinFreeSpace:      64,
		KeyCacheTTL:       time.Hour,
		KeyServiceTimeout: 8 * time.Second,
		LogFormat:         "text",
		LogLevel:          -4,
		ShutdownTimeout:   10 * time.Second,
	}
}

// Start runs a server until the test ends. The settings are those of [Config], as the functions
// change them.
func Start(tb testing.TB, change ...func(*config.Config)) *Server {
	tb.Helper()
	cfg := Config(tb)
	for _, c := range change {
		c(&cfg)
	}
	return StartWith(tb, cfg)
}

// StartWith runs a server with the given settings until the test ends.
func StartWith(tb testing.TB, cfg config.Config) *Server {
	tb.Helper()
	s, err := Launch(cfg)
	Must(tb, err)
	tb.Cleanup(func() {
		s.Stop(tb)
		if tb.Failed() {
			tb.Logf("the log of %s:\n%s", s.URL, s.Logs) // it never has a value: the canary test
		}
	})
	return s
}

// patience is how long a start and a stop may take.
const patience = 30 * time.Second

// Launch runs a server, and returns once it listens. [Server.End] ends it.
func Launch(cfg config.Config) (*Server, error) {
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{
		Data: cfg.Data, Logs: &Buffer{}, DatabaseURL: cfg.DatabaseURL,
		stop: stop, done: make(chan error, 1),
	}
	banner := &Buffer{}
	go func() { s.done <- server.Run(ctx, cfg, nil, banner, s.Logs) }()
	err := s.wait(banner)
	if err == nil {
		err = s.readKey(cfg)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, s.Logs), s.End())
	}
	return s, nil
}

// readKey reads the API key that development mode leaves in the folder, now or before.
func (s *Server) readKey(cfg config.Config) error {
	key, err := os.ReadFile(filepath.Join(cfg.Data, "dev-api-key"))
	switch {
	case err == nil:
		s.Key = plaintext.New(key)
	case !cfg.Dev && errors.Is(err, fs.ErrNotExist):
		return nil
	}
	return err
}

// wait reads the server's address once it listens.
func (s *Server) wait(banner *Buffer) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if found := listening.FindStringSubmatch(banner.String()); found != nil {
			s.URL = found[1]
			return nil
		}
		select {
		case err := <-s.done:
			s.done <- nil
			return fmt.Errorf("the server ended: %w", err)
		case <-time.After(time.Millisecond):
		}
	}
	return errors.New("the server does not listen")
}

// Restart runs a server on the folder of one that was started by [Start] and has stopped.
func (s *Server) Restart(tb testing.TB) *Server {
	tb.Helper()
	return Start(tb, func(c *config.Config) {
		c.Data, c.DatabaseURL = s.Data, s.DatabaseURL
	})
}

var listening = regexp.MustCompile(`(?m)^Keysake is listening on (\S+)$`)

// End ends the server as SIGTERM would, and waits for it. It may be called twice.
func (s *Server) End() error {
	s.stop()
	select {
	case err := <-s.done:
		s.done <- err
		return err
	case <-time.After(patience):
		return errors.New("the server does not stop")
	}
}

// Stop is [Server.End] in a test, which fails if there is an error.
func (s *Server) Stop(tb testing.TB) {
	tb.Helper()
	if err := s.End(); err != nil {
		tb.Errorf("the server ended with: %v", err)
	}
}

// Client returns a client that calls as the user dev.
func (s *Server) Client(tb testing.TB) *client.Client {
	tb.Helper()
	return s.ClientWith(tb, s.Key)
}

// ClientWith returns a client that presents the given API key.
func (s *Server) ClientWith(tb testing.TB, key plaintext.Value) *client.Client {
	tb.Helper()
	c, err := client.New(s.URL, key)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

var userScopes = []string{
	"secrets:read", "secrets:write", "leases:write", "keys:write", "audit:read",
}

// NewUser makes a user and an API key with the given scopes, all of a user's if there are none, and
// returns the key.
func (s *Server) NewUser(tb testing.TB, name string, scopes ...string) plaintext.Value {
	tb.Helper()
	key, err := s.AddUser(tb.Context(), name, scopes...)
	Must(tb, err)
	return key
}

// AddUser is NewUser without a test.
func (s *Server) AddUser(
	ctx context.Context, name string, scopes ...string,
) (plaintext.Value, error) {
	admin, err := client.New(s.URL, s.Key)
	if err != nil {
		return plaintext.Value{}, err
	}
	user, err := admin.CreateUser(ctx, wire.CreateUser{Username: name})
	if err != nil {
		return plaintext.Value{}, err
	}
	if len(scopes) == 0 {
		scopes = userScopes
	}
	key, err := admin.CreateAPIKeyFor(ctx, user.ID, wire.CreateAPIKey{AllowedScopes: &scopes})
	return plaintext.FromString(key.Key), err
}

// RevokeWithAll revokes the only API key of an admin, which may not revoke itself: a key that it
// makes does, and ends with it.
func (s *Server) RevokeWithAll(tb testing.TB, key plaintext.Value) {
	tb.Helper()
	scopes := append([]string{"admin", "act:user"}, userScopes...)
	first := s.ClientWith(tb, key)
	keys, err := first.ListAPIKeys(tb.Context())
	Must(tb, err)
	made, err := first.CreateAPIKey(
		tb.Context(), wire.CreateAPIKey{AllowedScopes: &scopes, AllowSelfRevoke: new(true)})
	Must(tb, err)
	c := s.ClientWith(tb, plaintext.FromString(made.Key))
	Must(tb, c.RevokeAPIKey(tb.Context(), keys.APIKeys[0].ID))
}

// A Buffer is a bytes.Buffer that is safe for concurrent use.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write implements [io.Writer].
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

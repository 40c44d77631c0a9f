// Package keysaketest runs a real Keysake server in the process of a test, for programs that use
// package client.
//
// The server is one of development mode: it listens on a loopback address of its own, keeps
// everything in a temporary folder, and is gone with the test. Import the package from tests only:
// it links the whole server.
package keysaketest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A Server is a running server.
type Server struct {
	URL string
	Key plaintext.Value // the API key of the user dev: every scope

	dir  string
	stop context.CancelFunc
	done chan error
	logs buffer
}

// How long a start and a stop may take.
const patience = 30 * time.Second

var listening = regexp.MustCompile(`(?m)^Keysake is listening on (\S+)$`)

// New starts a server. [Server.Close] ends it.
func New() (*Server, error) {
	dir, err := os.MkdirTemp("", "keysaketest")
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s := &Server{dir: dir, stop: stop, done: make(chan error, 1)}
	cfg := config.Config{
		Listen: "127.0.0.1:0", Data: filepath.Join(dir, "data"), Dev: true,
		MaxSecrets: 200, KeepVersions: 5, MinFreeSpace: 64, KeyCacheTTL: time.Hour,
		KeyServiceTimeout: 8 * time.Second, LogFormat: "text", ShutdownTimeout: 10 * time.Second,
	}
	var banner buffer
	go func() { s.done <- server.Run(ctx, cfg, nil, &banner, &s.logs) }()
	if err := s.wait(&banner); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	key, err := os.ReadFile(filepath.Join(cfg.Data, "dev-api-key"))
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.Key = plaintext.New(key)
	return s, nil
}

// wait reads the server's address once it listens.
func (s *Server) wait(banner *buffer) error {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if found := listening.FindStringSubmatch(banner.String()); found != nil {
			s.URL = found[1]
			return nil
		}
		select {
		case err := <-s.done:
			s.done <- err
			return fmt.Errorf("keysaketest: the server ended: %w\n%s", err, s.logs.String())
		case <-time.After(time.Millisecond):
		}
	}
	return fmt.Errorf("keysaketest: the server does not listen\n%s", s.logs.String())
}

// Close ends the server and removes what it kept. It may be called twice.
func (s *Server) Close() error {
	s.stop()
	select {
	case err := <-s.done:
		s.done <- err
		return errors.Join(err, os.RemoveAll(s.dir))
	case <-time.After(patience):
		return errors.New("keysaketest: the server does not stop")
	}
}

// Client returns a client that calls as the user dev, with every scope.
func (s *Server) Client(opts ...client.Option) (*client.Client, error) {
	return client.New(s.URL, s.Key, opts...)
}

// NewUser makes a user with an API key of these scopes, all but admin if none is named, and returns
// a client that presents it.
func (s *Server) NewUser(
	ctx context.Context, name string, scopes ...string,
) (*client.Client, error) {
	admin, err := s.Client()
	if err != nil {
		return nil, err
	}
	user, err := admin.CreateUser(ctx, wire.CreateUser{Username: name})
	if err != nil {
		return nil, err
	}
	if len(scopes) == 0 {
		scopes = []string{
			"secrets:read", "secrets:write", "leases:write", "keys:write", "audit:read",
		}
	}
	key, err := admin.CreateAPIKeyFor(ctx, user.ID, wire.CreateAPIKey{AllowedScopes: &scopes})
	if err != nil {
		return nil, err
	}
	return client.New(s.URL, plaintext.FromString(key.Key))
}

// A TB is what [Start] needs of a test: a *testing.T or *testing.B.
type TB interface {
	Helper()
	Cleanup(do func())
	Fatal(args ...any)
	Error(args ...any)
}

// Start is [New] for a test, at whose end the server ends. The test fails if there is an error.
func Start(tb TB) *Server {
	tb.Helper()
	s, err := New()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// A buffer is what a server has written. It is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

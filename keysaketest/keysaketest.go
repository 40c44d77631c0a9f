// Package keysaketest runs a real Keysake server in the process of a test, for programs that use
// package client.
//
// The server is one of development mode: it listens on a loopback address of its own, keeps
// everything in a temporary folder, and is gone with the test. Import the package from tests only:
// it links the whole server.
package keysaketest

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
)

// A Server is a running server.
type Server struct {
	URL string
	Key plaintext.Value // the API key of the user dev: every scope

	dir     string
	running *apptest.Server
}

// New starts a server. [Server.Close] ends it.
func New() (*Server, error) {
	dir, err := os.MkdirTemp("", "keysaketest")
	if err != nil {
		return nil, err
	}
	running, err := apptest.Launch(apptest.ConfigIn(dir))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("keysaketest: %w", err), os.RemoveAll(dir))
	}
	return &Server{URL: running.URL, Key: running.Key, dir: dir, running: running}, nil
}

// Close ends the server and removes what it kept. It may be called twice.
func (s *Server) Close() error {
	if err := s.running.End(); err != nil {
		return errors.Join(fmt.Errorf("keysaketest: %w", err), os.RemoveAll(s.dir))
	}
	return os.RemoveAll(s.dir)
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
	key, err := s.running.AddUser(ctx, name, scopes...)
	if err != nil {
		return nil, err
	}
	return client.New(s.URL, key)
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

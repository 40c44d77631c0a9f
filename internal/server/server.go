// Package server puts the parts together and runs them: the data folder, the vault, the API, the
// pages for operators.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// The deadlines of a connection's phases. A route may set others, as package middleware says.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 20 * time.Second
	writeTimeout      = 30 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 16 << 10
)

// flushEvery is how often the last use of API keys is written down.
const flushEvery = 5 * time.Second

// ErrCannotStart is in the error of a server that did not begin to answer.
var ErrCannotStart = errors.New("cannot start")

func cannotStart(err error) error { return fmt.Errorf("%w: %w", ErrCannotStart, err) }

// Run serves until ctx is done, then lets the requests that it has finish, writes down what waits,
// and returns nil. Before it begins to answer every error has [ErrCannotStart] and nothing was
// changed that was there before. out is for people, logs for lines of log. The configuration must
// have passed its Validate. ask may be nil.
func Run(
	ctx context.Context, cfg config.Config, ask instance.Passphrase, out, logs io.Writer,
) (err error) {
	log := newLogger(cfg, logs)
	access := instance.Serve
	if cfg.Dev {
		access = instance.Create
	}
	i, err := instance.Open(ctx, cfg, log, instance.NewRootKeys(cfg, ask), access)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	var devKeyFile string
	if cfg.Dev {
		if devKeyFile, err = i.PrepareDev(ctx, cfg); err != nil {
			return err
		}
	}
	s := newServer(cfg, i, log)
	if err := s.listen(ctx); err != nil {
		return cannotStart(err)
	}
	if err := printBanner(out, s.url(), devKeyFile); err != nil {
		return errors.Join(cannotStart(err), s.main.Close(), s.admin.Close())
	}
	return s.run(ctx)
}

// server is a server that runs.
type server struct {
	cfg      config.Config
	instance *instance.Instance
	log      *slog.Logger
	stopping atomic.Bool

	main, admin           *http.Server
	mainSocket, adminSock net.Listener // adminSock is nil where there is none
}

// run serves until ctx is done or a listener fails, and stops in order.
func (s *server) run(ctx context.Context) error {
	failed := make(chan error, 2)
	go func() { failed <- s.serveMain() }()
	if s.adminSock != nil {
		go func() { failed <- s.admin.Serve(s.adminSock) }()
	}
	s.log.InfoContext(ctx, "listening", "address", s.mainSocket.Addr().String(), "tls", s.tls())
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			if err := s.instance.Vault.FlushLastUsed(ctx, false); err != nil {
				s.log.WarnContext(
					ctx,
					"the last use of API keys could not be written",
					"cause",
					err,
				)
			}
		case err := <-failed:
			return errors.Join(err, s.stop(ctx))
		case <-ctx.Done():
			return s.stop(ctx)
		}
	}
}

func (s *server) serveMain() error {
	if s.tls() {
		return s.main.ServeTLS(s.mainSocket, "", "") // the certificate is in TLSConfig
	}
	return s.main.Serve(s.mainSocket)
}

// stop takes no new requests and lets those that run finish, within the time that the configuration
// gives them.
func (s *server) stop(ctx context.Context) error {
	s.stopping.Store(true)
	s.log.InfoContext(ctx, "stopping")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.ShutdownTimeout)
	defer cancel()
	err := s.main.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.WarnContext(ctx, "requests were cut off: they took longer than --shutdown-timeout")
		err = s.main.Close()
	}
	// It is a help for people and not a record: a full disk must not make of it a server that ended
	// badly.
	if flush := s.instance.Vault.FlushLastUsed(context.WithoutCancel(ctx), true); flush != nil {
		s.log.WarnContext(ctx, "the last use of API keys could not be written", "cause", flush)
	}
	return errors.Join(err, s.admin.Close())
}

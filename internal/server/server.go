// Package server puts the parts together and runs them: the data folder, the vault, the API, the
// pages for operators.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/api"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/identity"
)

// The deadlines of a connection's phases. A request has one of its own inside, in package api.
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
func Run(ctx context.Context, cfg config.Config, ask Passphrase, out, logs io.Writer) (err error) {
	log := newLogger(cfg, logs)
	how := alone
	if cfg.Dev {
		how = creating
	}
	data, err := openFolder(ctx, cfg, log, ask, how)
	if err != nil {
		return cannotStart(err)
	}
	defer func() { err = errors.Join(err, data.close()) }()
	var hint devHint
	if cfg.Dev {
		if hint, err = prepareDev(ctx, cfg, data); err != nil {
			return cannotStart(err)
		}
	}
	s := newServing(cfg, data, log)
	if err := s.listen(ctx); err != nil {
		return cannotStart(err)
	}
	if err := announce(out, s.url(), hint); err != nil {
		return errors.Join(cannotStart(err), s.main.Close(), s.admin.Close())
	}
	return s.run(ctx)
}

// serving is a server that runs.
type serving struct {
	cfg      config.Config
	data     *data
	log      *slog.Logger
	stopping atomic.Bool

	main, admin           *http.Server
	mainSocket, adminSock net.Listener // adminSock is nil where there is none
}

func newServing(cfg config.Config, d *data, log *slog.Logger) *serving {
	s := &serving{cfg: cfg, data: d, log: log}
	metrics := newMetrics(d.store)
	answers := api.New(api.Options{
		Vault:          d.vault,
		Identity:       identity.New(d.vault),
		MinClients:     minClients(cfg),
		TrustedProxies: cfg.TrustedProxies,
		Log:            log,
		Limits: api.Limits{
			PerKey:   cfg.RateLimit,
			Burst:    cfg.RateBurst,
			Failures: cfg.AuthFailureLimit,
		},
		Observe: metrics.observe,
	})
	s.main = s.httpServer(s.withProbes(answers))
	s.admin = s.httpServer(s.withProbes(metrics.handler()))
	return s
}

// withProbes answers the operator's probes and gives everything else to next, untouched: a mux
// would clean paths and redirect.
func (s *serving) withProbes(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method + " " + r.URL.Path {
		case "GET /healthz", "HEAD /healthz":
			plain(w, http.StatusOK, "ok")
		case "GET /readyz", "HEAD /readyz":
			s.readyz(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

func minClients(cfg config.Config) []api.MinClient {
	minima := make([]api.MinClient, len(cfg.MinClients))
	for i, m := range cfg.MinClients {
		minima[i] = api.MinClient(m)
	}
	return minima
}

func (s *serving) httpServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler:                      h,
		ReadHeaderTimeout:            readHeaderTimeout,
		ReadTimeout:                  readTimeout,
		WriteTimeout:                 writeTimeout,
		IdleTimeout:                  idleTimeout,
		MaxHeaderBytes:               maxHeaderBytes,
		DisableGeneralOptionsHandler: true,
		// about clients that break the protocol, not about us
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
}

func (s *serving) listen(ctx context.Context) (err error) {
	if s.tls() {
		pair, err := tls.LoadX509KeyPair(s.cfg.TLSCert, s.cfg.TLSKey)
		if err != nil {
			return fmt.Errorf("--tls-cert and --tls-key: %w", err)
		}
		s.main.TLSConfig = &tls.Config{
			Certificates: []tls.Certificate{pair},
			MinVersion:   tls.VersionTLS12,
		}
	}
	var lc net.ListenConfig
	if s.mainSocket, err = lc.Listen(ctx, "tcp", s.cfg.Listen); err != nil {
		return err
	}
	if s.cfg.AdminListen == "" {
		return nil
	}
	if s.adminSock, err = lc.Listen(ctx, "tcp", s.cfg.AdminListen); err != nil {
		return errors.Join(err, s.mainSocket.Close())
	}
	return nil
}

func (s *serving) tls() bool { return s.cfg.TLSCert != "" }

// url is where the server is reached from this machine.
func (s *serving) url() string {
	if s.tls() {
		return "https://" + s.mainSocket.Addr().String()
	}
	return "http://" + s.mainSocket.Addr().String()
}

// run serves until ctx is done or a listener fails, and stops in order.
func (s *serving) run(ctx context.Context) error {
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
			if err := s.data.vault.FlushLastUsed(ctx, false); err != nil {
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

func (s *serving) serveMain() error {
	if s.tls() {
		return s.main.ServeTLS(s.mainSocket, "", "") // the certificate is in TLSConfig
	}
	return s.main.Serve(s.mainSocket)
}

// stop takes no new requests and lets those that run finish, within the time that the configuration
// gives them.
func (s *serving) stop(ctx context.Context) error {
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
	if flush := s.data.vault.FlushLastUsed(context.WithoutCancel(ctx), true); flush != nil {
		s.log.WarnContext(ctx, "the last use of API keys could not be written", "cause", flush)
	}
	return errors.Join(err, s.admin.Close())
}

// Package server puts the parts together and serves: the API, the probes and the metrics of an open
// instance.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/issuer"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/process"
	"github.com/keysake/keysake/internal/rootkey"
)

// tickInterval is how often the last use of API keys is stored, and the files of the certificate
// are looked at.
const tickInterval = 5 * time.Second

// ErrCannotStart is in the error of a server that did not begin to serve.
var ErrCannotStart = errors.New("cannot start")

func cannotStart(err error) error { return fmt.Errorf("%w: %w", ErrCannotStart, err) }

// Run serves until ctx is done, then drains requests, flushes pending writes and returns nil. An
// error before it serves wraps [ErrCannotStart]. What the data folder holds is unchanged then,
// except for migrations.
//
// The banner for people goes to out, log records go to logs; what logs does not take is counted.
// The configuration must have passed its Validate. ask may be nil.
//
// From its start the process ignores SIGPIPE: standard error may be a pipe whose reader has left.
// SIGHUP makes a server read its certificate and the keys file again, and does nothing else.
func Run(ctx context.Context, cfg config.Config, ask rootkey.Ask, out, logs io.Writer) (err error) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	access := instance.Serve
	if cfg.Dev {
		access = instance.Create
	}
	i, log, lostLines, err := open(ctx, cfg, ask, logs, access)
	if err != nil {
		return cannotStart(err)
	}
	defer func() { err = errors.Join(err, within(closeTime, i.Close)) }()
	var devKeyFile string
	if cfg.Dev {
		if devKeyFile, err = i.PrepareDev(ctx, cfg); err != nil {
			return cannotStart(err)
		}
	}
	outside, err := newOutside(cfg)
	if err != nil {
		return cannotStart(err)
	}
	socket, err := listenBroker(ctx, &cfg)
	if err != nil {
		return cannotStart(err)
	}
	s := newServer(cfg, i, log, lostLines, socket, outside)
	if err := s.listen(ctx); err != nil {
		return errors.Join(cannotStart(err), s.closeBroker())
	}
	if err := printBanner(out, s.url(), devKeyFile, s.devLink(ctx, devKeyFile)); err != nil {
		return errors.Join(cannotStart(err), s.main.Close(), s.admin.Close(), s.closeBroker())
	}
	return s.serve(ctx, hangup)
}

// open opens the instance of a process that serves, and its log, of which it counts the lines that
// were lost.
func open(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, logs io.Writer, access instance.Access,
) (*instance.Instance, *slog.Logger, func() uint64, error) {
	signal.Ignore(syscall.SIGPIPE)
	lines := &countingWriter{to: logs}
	log := newLogger(cfg, lines)
	i, err := instance.Open(ctx, cfg, instance.NewKeys(cfg, ask), access)
	if err != nil {
		return nil, nil, nil, err
	}
	warnExposed(ctx, cfg, log)
	if i.Store.ReadOnly() {
		log.WarnContext(ctx, "the server is read-only: the database cannot be written; changes "+
			"are answered with 503 until a restart finds that it can", "data", cfg.Data)
	}
	warnForeign(ctx, i, log)
	return i, log, lines.lost.Load, nil
}

// server serves an instance on one or two addresses.
type server struct {
	cfg         config.Config
	instance    *instance.Instance
	log         *slog.Logger
	certificate certificate
	stopping    atomic.Bool

	floorsFailed atomic.Bool // the floors file could not be written

	checkpointDue time.Time // zero for never; only serve uses it
	deletionsDue  time.Time // not before; only serve uses it
	lockedDown    bool      // as it was last logged; only serve uses it
	diskWarning   throttle
	usesWarning   throttle
	auditWarning  throttle
	clientsReport throttle
	reported      turnout

	unrecorded         []string // tamperings that are not in the instance's chain yet
	unrecordedReported throttle

	connections *connections
	room        *room // of the broker
	strangers   *middleware.Strangers
	sharing     *middleware.Sharing // nil for none

	sessions                *identity.Sessions
	provider                *issuer.Provider // nil for none
	notifier                *notifier        // nil without a webhook
	chores                  []*chore         // that were begun
	broker                  *brokerServer    // nil without a broker
	main, admin             *http.Server     // main is nil where the broker is alone
	mainSocket, adminSocket net.Listener     // adminSocket is nil without --admin-listen
}

// serve serves until ctx is done or a listener fails, and then stops.
func (s *server) serve(ctx context.Context, hangup <-chan os.Signal) error {
	failed := s.start(ctx)
	if !s.instance.Store.ReadOnly() {
		s.startChores(ctx)
	}
	s.log.InfoContext(ctx, "listening", "address", s.mainSocket.Addr().String(), "tls", s.tls())
	s.logAuditHead(ctx)
	s.scheduleCheckpoint(ctx)
	s.deleteDue(ctx)
	go s.sharing.Run(ctx)
	go s.checkProvider(ctx)
	return s.loop(ctx, hangup, failed, func() {
		s.flushLastUsed(ctx, false)
		s.logDisputes(ctx)
		s.warnDisk(ctx)
		s.reportClients(ctx, false)
		s.makeCheckpoint(ctx)
		s.deleteDue(ctx)
	})
}

// startChores begins what one of several servers does.
func (s *server) startChores(ctx context.Context) {
	w := s.newWatcher()
	w.start(ctx)
	s.chores = append(s.chores, &w.chore)
	if s.notifier != nil {
		s.notifier.start(ctx)
		s.chores = append(s.chores, &s.notifier.chore)
	}
}

// start serves on the sockets that there are, and returns how those end that fail.
func (s *server) start(ctx context.Context) <-chan error {
	failed := make(chan error, 3)
	if s.main != nil {
		go func() { failed <- serveOn(s.main, s.mainSocket, s.tls()) }()
	}
	if s.broker != nil {
		s.broker.start(ctx)
		go func() { failed <- serveOn(s.broker.http, s.broker.socket, s.tls()) }()
	}
	if s.adminSocket != nil {
		go func() { failed <- serveOn(s.admin, s.adminSocket, false) }()
	}
	return failed
}

func serveOn(h *http.Server, socket net.Listener, tls bool) error {
	if tls {
		return h.ServeTLS(socket, "", "") // TLSConfig has the certificate
	}
	return h.Serve(socket)
}

// loop does what is to be done from time to time, with or without an API, and chores besides. It
// stops when ctx is done or a listener has failed.
func (s *server) loop(
	ctx context.Context, hangup <-chan os.Signal, failed <-chan error, chores func(),
) error {
	s.warnFloors(ctx)
	s.warnLockdown(ctx)
	go s.keepFloors(ctx)
	go process.Settle()
	tick := time.NewTicker(tickInterval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.flushRefusals(ctx, false)
			s.recordTamperings(ctx)
			s.reloadCertificate(ctx, false)
			s.warnLockdown(ctx)
			chores()
		case <-hangup:
			s.reloadCertificate(ctx, true)
			s.reloadKeys(ctx)
		case err := <-failed:
			return errors.Join(err, s.stop(ctx))
		case <-ctx.Done():
			return s.stop(ctx)
		}
	}
}

// flushLastUsed stores the last use of API keys. A failure is only logged: the times help people,
// and nothing depends on them.
func (s *server) flushLastUsed(ctx context.Context, all bool) {
	if s.instance.Store.ReadOnly() {
		return
	}
	if err := s.instance.Vault.FlushLastUsed(ctx, all); err != nil && s.usesWarning.pass() {
		s.log.WarnContext(ctx, "the last use of API keys could not be stored", "cause", err)
	}
}

// flushRefusals records how many requests were refused after one that was recorded at once. What
// cannot be recorded is tried again.
func (s *server) flushRefusals(ctx context.Context, all bool) {
	if s.instance.Store.ReadOnly() {
		return
	}
	if err := s.instance.Vault.FlushRefusals(ctx, all); err != nil && s.auditWarning.pass() {
		s.log.WarnContext(ctx, "the number of refusals could not be recorded", "cause", err)
	}
}

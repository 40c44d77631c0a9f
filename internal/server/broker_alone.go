package server

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/signal"
	"syscall"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
)

// RunBroker serves the broker alone, beside the servers of the same database, which make the
// leases. It ends as [Run] does, and its errors are the same. It changes nothing before it serves.
func RunBroker(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, out, logs io.Writer,
) (err error) {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	i, log, lost, err := open(ctx, cfg, ask, logs, instance.Shared)
	if err != nil {
		return cannotStart(err)
	}
	defer func() { err = errors.Join(err, within(closeTime, i.Close)) }()
	s := &server{cfg: cfg, instance: i, log: log, room: newRoom(cfg, true)}
	s.certificate.certFile, s.certificate.keyFile = cfg.TLSCert, cfg.TLSKey
	if err := s.listenAlone(ctx, lost); err != nil {
		return cannotStart(err)
	}
	if err := printBrokerBanner(out, s.broker.socket, s.tls()); err != nil {
		return errors.Join(cannotStart(err), s.admin.Close(), s.closeBroker())
	}
	return s.serveAlone(ctx, hangup)
}

// listenAlone binds the addresses of a broker that is alone, or none of them.
func (s *server) listenAlone(ctx context.Context, lost func() uint64) error {
	if s.tls() {
		if err := s.certificate.load(); err != nil {
			return err
		}
	}
	socket, err := listenBroker(ctx, &s.cfg)
	if err != nil {
		return err
	}
	metrics := newMetrics(s.instance.Store.Stats, lost)
	metrics.watchTampering(s.instance.Vault.Tamperings)
	metrics.watchLockdown(s.instance.Vault.LockedDown)
	s.broker = s.newBroker(socket, newGuard(s.cfg, s.room), metrics)
	s.admin = s.newHTTPServer(s.withProbes(metrics.handler()))
	if s.cfg.AdminListen == "" {
		return nil
	}
	admin, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.AdminListen)
	if err != nil {
		return errors.Join(err, s.closeBroker())
	}
	s.adminSocket = newConnections(admin, adminConnections, adminConnections, nil)
	return nil
}

// serveAlone is serve for a broker that is alone.
func (s *server) serveAlone(ctx context.Context, hangup <-chan os.Signal) error {
	failed := s.start(ctx)
	s.log.InfoContext(ctx, "listening", "broker", s.broker.socket.Addr().String(), "tls", s.tls())
	return s.loop(ctx, hangup, failed, func() {})
}

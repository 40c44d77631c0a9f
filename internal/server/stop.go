package server

import (
	"context"
	"errors"
	"time"
)

// How long the steps of a stop may take, after --shutdown-timeout: they wait for the disk, and for
// locks that other programs may keep.
const (
	flushTime = 2 * time.Second
	closeTime = 8 * time.Second
)

var errSlowStop = errors.New(
	"the database could not be closed in time: it is left as after a crash, which loses nothing")

// within runs do, and stops waiting for it after a time. The process is about to end.
func within(most time.Duration, do func() error) error {
	done := make(chan error, 1)
	go func() { done <- do() }()
	select {
	case err := <-done:
		return err
	case <-time.After(most):
		return errSlowStop
	}
}

// stop takes no new requests, and waits --shutdown-timeout for the running ones to finish: those of
// the API, of the broker, or of both.
func (s *server) stop(ctx context.Context) error {
	s.stopping.Store(true)
	s.log.InfoContext(ctx, "stopping")
	flushCtx := context.WithoutCancel(ctx)
	ctx, cancel := context.WithTimeout(flushCtx, s.cfg.ShutdownTimeout)
	defer cancel()
	brokerStopped := make(chan error, 1)
	go func() { brokerStopped <- s.stopBroker(ctx) }()
	choresStopped := make(chan error, 1)
	go func() { choresStopped <- within(max(s.cfg.ShutdownTimeout, flushTime), s.stopChores) }()
	err := s.stopMain(ctx)
	err = errors.Join(err, <-brokerStopped, <-choresStopped)
	flush := func() error {
		s.flushRefusals(flushCtx, true)
		s.recordTamperings(flushCtx)
		s.saveFloors(flushCtx)
		if s.main != nil {
			s.flushLastUsed(flushCtx, true)
			s.logDisputes(flushCtx)
			s.logAuditHead(flushCtx)
			s.reportClients(flushCtx, true)
		}
		return nil
	}
	return errors.Join(err, within(flushTime, flush), s.admin.Close())
}

// stopChores breaks off what is done beside requests. It waits for the database, which may not
// answer.
func (s *server) stopChores() error {
	for _, c := range s.chores {
		c.stop()
	}
	return nil
}

// stopMain stops the API, if this process has one.
func (s *server) stopMain(ctx context.Context) error {
	if s.main == nil {
		return nil
	}
	err := s.main.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		s.log.WarnContext(ctx, "requests were cut off: they took longer than --shutdown-timeout")
		err = s.main.Close()
	}
	return err
}

package server

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"
)

// A chore is done beside requests, again and again: by one of the servers that share a database.
type chore struct {
	name    string // of its lock, and in the log
	log     *slog.Logger
	lock    locker
	warning throttle

	running sync.WaitGroup
	end     context.CancelFunc
}

// A locker takes a lock, or finds that another server has it.
type locker func(ctx context.Context) (unlock func() error, locked bool, err error)

// A sharedDatabase is one that servers share. Each chore has a lock there, by its name.
type sharedDatabase interface {
	TryLockChore(
		ctx context.Context, name string,
	) (unlock func() error, locked bool, err error)
}

func (s *server) newChore(name string) chore {
	return chore{
		name: name, log: s.log,
		lock: func(ctx context.Context) (func() error, bool, error) {
			if shared, ok := s.instance.Store.(sharedDatabase); ok {
				return shared.TryLockChore(ctx, name)
			}
			return func() error { return nil }, true, nil
		},
	}
}

// begin begins to do it, once in an interval, until stop.
func (c *chore) begin(ctx context.Context, every time.Duration, do func(context.Context) error) {
	ctx, c.end = context.WithCancel(ctx)
	c.running.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := do(ctx); err != nil && ctx.Err() == nil && c.warning.pass() {
					c.log.WarnContext(ctx, "not all of a chore could be done: it is tried again",
						"chore", c.name, "cause", err)
				}
			case <-ctx.Done():
				return
			}
		}
	})
}

// alone does something unless another server does it.
func (c *chore) alone(ctx context.Context, do func() error) error {
	unlock, locked, err := c.lock(ctx)
	if err != nil || !locked {
		return err
	}
	return errors.Join(do(), unlock())
}

// stop breaks off what is under way, and waits for that.
func (c *chore) stop() {
	c.end()
	c.running.Wait()
}

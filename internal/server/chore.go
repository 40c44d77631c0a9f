package server

import (
	"context"
	"sync"
	"time"
)

// choreInterval is how often a chore looks for something to do.
const choreInterval = 5 * time.Second

// A chore is done beside requests, again and again.
type chore struct {
	running sync.WaitGroup
	end     context.CancelFunc
}

// start begins to do it, until stop.
func (c *chore) start(ctx context.Context, do func(context.Context)) {
	ctx, c.end = context.WithCancel(ctx)
	c.running.Go(func() {
		tick := time.NewTicker(choreInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				do(ctx)
			case <-ctx.Done():
				return
			}
		}
	})
}

// stop breaks off what is under way, and waits for that.
func (c *chore) stop() {
	if c.end != nil {
		c.end()
	}
	c.running.Wait()
}

// A locker takes a lock while there is something to do: of servers that share a database, one does
// it.
type locker func(ctx context.Context) (unlock func() error, locked bool, err error)

// unshared is the locker of a database that servers do not share.
func unshared(context.Context) (unlock func() error, locked bool, err error) {
	return func() error { return nil }, true, nil
}

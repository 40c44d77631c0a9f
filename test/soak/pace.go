package main

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/test/load"
)

const (
	clients    = 64
	patience   = 30 * time.Second // for one answer
	keptErrors = 10
	maxFailed  = 1000 // after which it goes on no longer
)

// A pacer sends requests by a clock, and does not wait for answers as long as a client is free. A
// request's time counts from when it was due, so a server that stops for a second has made many
// requests late, and not one.
type pacer struct {
	lib    *library
	server *load.Process
	order  []int
	took   []histogram // of each work
	late   histogram   // from when a request was due until it was sent: what the driver itself adds
	sent   atomic.Int64
	failed atomic.Uint64

	mu     sync.Mutex
	errors []string
}

func newPacer(server *load.Process, lib *library) *pacer {
	return &pacer{
		lib: lib, server: server, order: mixed(), took: make([]histogram, len(works)),
	}
}

// run sends so many requests a second, or as many as the clients can if the rate is 0. It returns
// how many were answered in a second.
//
// It has one thread, because it shares the machine with the server.
func (p *pacer) run(ctx context.Context, rate float64, length time.Duration) (float64, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	errs := make([]error, clients)
	var next atomic.Int64
	var all sync.WaitGroup
	began, before := time.Now(), p.sent.Load()
	due := func() time.Time {
		if rate == 0 {
			return time.Now()
		}
		return began.Add(time.Duration(float64(next.Add(1)-1) / rate * float64(time.Second)))
	}
	for i := range clients {
		all.Go(func() { errs[i] = p.client(ctx, began.Add(length), due) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(p.sent.Load()-before) / time.Since(began).Seconds(), ctx.Err()
}

// client sends what is due, one request at a time.
func (p *pacer) client(ctx context.Context, end time.Time, due func() time.Time) error {
	link, err := load.Dial(ctx, p.server.Address, time.Time{})
	if err != nil {
		return err
	}
	defer func() { link.Close() }()
	buf := make([]byte, 0, 4<<10)
	for at := due(); at.Before(end) && ctx.Err() == nil && p.failed.Load() < maxFailed; at = due() {
		time.Sleep(time.Until(at))
		now := time.Now()
		p.late.add(now.Sub(at))
		which := p.order[int(p.sent.Add(1))%len(p.order)]
		err := link.Until(now.Add(patience))
		if err == nil {
			err = p.lib.do(link, works[which], buf)
		}
		p.took[which].add(time.Since(at))
		if err == nil {
			continue
		}
		p.note(works[which].name + ": " + err.Error())
		link.Close() // whether it can be used is not known
		if link, err = load.Dial(ctx, p.server.Address, time.Time{}); err != nil {
			return err
		}
	}
	return nil
}

func (p *pacer) note(failure string) {
	p.failed.Add(1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.errors) < keptErrors {
		p.errors = append(p.errors, failure)
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/keysake/keysake/test/figures"
	"github.com/keysake/keysake/test/load"
)

// patience is until when a connection may last.
func patience() time.Time { return time.Now().Add(time.Hour) }

// drive keeps clients busy, each with one request at a time on a connection of its own. What they
// do before the measurement, to warm up, is not counted: of a job whose requests run out it is a
// fifth, at most.
//
// It has one thread, because it shares the machine with the server: a second one would mostly look
// for work.
func (s settings) drive(
	ctx context.Context, p *load.Process, clients int, j job,
) (figures.Sample, error) {
	return s.driveBy(ctx, p, func(ctx context.Context) (*load.Link, error) {
		return load.Dial(ctx, p.Address, patience())
	}, clients, j)
}

// driveBy is drive with another way to connect.
func (s settings) driveBy(
	ctx context.Context, p *load.Process, dial func(context.Context) (*load.Link, error),
	clients int, j job,
) (sample figures.Sample, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s, %s: %w", j.name, clientCount(clients), err)
		}
	}()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	links := make([]*load.Link, clients)
	for i := range links {
		if links[i], err = dial(ctx); err != nil {
			return sample, err
		}
		defer links[i].Close()
	}
	warm := j
	if j.supply > 0 {
		warm = j.atMost(max(j.supply/5, 1))
	}
	if _, _, err := send(ctx, links, s.warmUp, warm); err != nil {
		return sample, err
	}
	var own load.Usage
	used, err := p.Measure(ctx, func() error {
		before := load.Own()
		took, window, err := send(ctx, links, s.time, j)
		own = load.Own().Minus(before)
		sample = figures.Summarise(took, window)
		return err
	})
	return perRequest(sample, used, own), err
}

// perRequest adds to a sample what the server and the driver used for each request.
func perRequest(s figures.Sample, server, driver load.Usage) figures.Sample {
	n := float64(max(s.Requests, 1))
	s.User, s.System = figures.Micros(server.User)/n, figures.Micros(server.System)/n
	s.Mallocs, s.Allocated = server.Mallocs/n, server.Allocated/n
	s.Driver = figures.Micros(driver.User+driver.System) / n
	return s
}

// send sends requests over every link until the time is over, or until there are none left. It
// returns how long each took, and all of them together.
func send(
	ctx context.Context, links []*load.Link, length time.Duration, j job,
) (took []time.Duration, window time.Duration, err error) {
	each, errs := make([][]time.Duration, len(links)), make([]error, len(links))
	var all sync.WaitGroup
	began := time.Now()
	for i, link := range links {
		all.Go(func() { each[i], errs[i] = sendOne(ctx, link, began.Add(length), j) })
	}
	all.Wait()
	window = time.Since(began)
	for _, one := range each {
		took = append(took, one...)
	}
	return took, window, errors.Join(errs...)
}

func sendOne(
	ctx context.Context, link *load.Link, end time.Time, j job,
) (took []time.Duration, err error) {
	buf := make([]byte, 0, 1<<10)
	for last := time.Now(); last.Before(end); {
		request := j.next(buf)
		if request == nil {
			return took, nil
		}
		if err := ctx.Err(); err != nil {
			return took, err
		}
		if _, err := link.Exchange(request, j.want); err != nil {
			return took, err
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	return took, nil
}

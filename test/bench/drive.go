package main

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/keysake/keysake/test/load"
)

// A job is a stream of requests of one kind.
type job struct {
	name string
	want string // the status of the answer
	// next writes the next request over buf and returns it, or returns one that is there already.
	next func(buf []byte) []byte
}

// A sample is one measurement.
type sample struct {
	requests int     // those that are not counted, too
	rate     float64 // a second
	p50, p99 time.Duration
	cpu      time.Duration // processor time of the server for one request, 0 where it is not known
}

// maxAnswers bounds what one client remembers in one measurement.
const maxAnswers = 1 << 20

// drive keeps the given number of clients busy, each with one request at a time on a connection of
// its own. The first tenth of the time is not counted.
//
// It has one thread, because it shares the machine with the server: a second one would mostly look
// for work.
func drive(
	ctx context.Context, p *load.Process, clients int, length time.Duration, j job,
) (sample, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	links := make([]*client, clients)
	for i := range links {
		l, err := load.Dial(ctx, p.Address, time.Now().Add(length+20*time.Second))
		if err != nil {
			return sample{}, err
		}
		defer l.Close()
		links[i] = &client{Link: l, took: make([]time.Duration, 0, 1<<12)}
	}
	errs := make([]error, clients)
	var all sync.WaitGroup
	busy, began := p.Busy(), time.Now()
	for i, l := range links {
		all.Go(func() { errs[i] = l.loop(ctx, began, length, j) })
	}
	all.Wait()
	busy = p.Busy() - busy
	if err := errors.Join(errs...); err != nil {
		return sample{}, err
	}
	var took []time.Duration
	requests := 0
	for _, l := range links {
		took = append(took, l.took...)
		requests += l.requests
	}
	s := summarise(took, length-length/10)
	s.requests, s.cpu = requests, busy/time.Duration(max(1, requests))
	return s, nil
}

// summarise makes a sample of the times that the answers in a window took.
func summarise(took []time.Duration, window time.Duration) sample {
	if len(took) == 0 {
		return sample{}
	}
	slices.Sort(took)
	at := func(percent int) time.Duration { return took[(len(took)-1)*percent/100] }
	return sample{rate: float64(len(took)) / window.Seconds(), p50: at(50), p99: at(99)}
}

// A client sends one request after the other.
type client struct {
	*load.Link

	took     []time.Duration
	requests int
}

func (l *client) loop(ctx context.Context, began time.Time, length time.Duration, j job) error {
	request := make([]byte, 0, 1<<10)
	last := time.Now()
	for ctx.Err() == nil && len(l.took) < maxAnswers {
		if _, err := l.Exchange(j.next(request), j.want); err != nil {
			return err
		}
		now := time.Now()
		l.requests++
		if now.Sub(began) > length {
			return nil
		}
		if now.Sub(began) > length/10 {
			l.took = append(l.took, now.Sub(last))
		}
		last = now
	}
	return ctx.Err()
}

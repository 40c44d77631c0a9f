package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
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
	ctx context.Context, p *process, clients int, length time.Duration, j job,
) (sample, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	links := make([]*link, clients)
	for i := range links {
		l, err := dial(ctx, p.address, length)
		if err != nil {
			return sample{}, err
		}
		defer l.conn.Close() //nolint:errcheck // everything was read
		links[i] = l
	}
	errs := make([]error, clients)
	var all sync.WaitGroup
	busy, began := p.busy(), time.Now()
	for i, l := range links {
		all.Go(func() { errs[i] = l.loop(ctx, began, length, j) })
	}
	all.Wait()
	busy = p.busy() - busy
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

// A link is one client: HTTP/1.1 by hand on a connection that is kept open, as cheap as it gets.
type link struct {
	conn     net.Conn
	buf      []byte
	took     []time.Duration
	requests int
}

// maxAnswer is the size of the largest answer that is understood.
const maxAnswer = 64 << 10

func dial(ctx context.Context, address string, length time.Duration) (*link, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, buf: make([]byte, maxAnswer), took: make([]time.Duration, 0, 1<<12)}
	return l, conn.SetDeadline(time.Now().Add(length + 20*time.Second))
}

func (l *link) loop(ctx context.Context, began time.Time, length time.Duration, j job) error {
	request := make([]byte, 0, 1<<10)
	last := time.Now()
	for ctx.Err() == nil && len(l.took) < maxAnswers {
		if err := l.exchange(j.next(request), j.want); err != nil {
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

// exchange sends a request and reads the whole answer, which must have the wanted status.
func (l *link) exchange(request []byte, want string) error {
	if _, err := l.conn.Write(request); err != nil {
		return err
	}
	for n := 0; ; {
		m, err := l.conn.Read(l.buf[n:])
		if err != nil {
			return err
		}
		n += m
		if whole(l.buf[:n]) {
			return checkStatus(l.buf[:n], want)
		}
		if n == len(l.buf) {
			return errors.New("the answer is too long")
		}
	}
}

func checkStatus(answer []byte, want string) error {
	const before = len("HTTP/1.1 ")
	if got := string(answer[before : before+len(want)]); got != want {
		return fmt.Errorf("the answer has status %s instead of %s", got, want)
	}
	return nil
}

// whole tells whether b is a whole answer. Either it says how long its body is, or it is in chunks,
// of which the last is empty.
func whole(b []byte) bool {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 {
		return false
	}
	_, after, found := bytes.Cut(b[:head], []byte("\r\nContent-Length: "))
	if !found {
		return bytes.HasSuffix(b, []byte("\r\n0\r\n\r\n"))
	}
	digits, _, _ := bytes.Cut(after, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	return err == nil && len(b) >= head+len("\r\n\r\n")+length
}

package kmspipe

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"
)

// maxAbandoned is how many requests a program may leave unanswered beyond their time.
const maxAbandoned = 256

// errEnded means that the program ended by itself.
var errEnded = errors.New("it ended")

// A conn is the server's half of one run of a program. Whatever breaks the protocol ends it: what
// comes after cannot be told apart from what was asked.
type conn struct {
	ready chan struct{} // closed when the program has said what it is
	done  chan struct{} // closed when the run has ended
	stop  func()        // ends the program and closes the pipes

	writing sync.Mutex
	out     deadlineWriter

	mu        sync.Mutex
	last      uint64
	waiting   map[uint64]chan answer
	abandoned map[uint64]struct{} // given up, and not answered yet
	err       error               // why the run has ended
}

type deadlineWriter interface {
	io.Writer
	SetWriteDeadline(t time.Time) error
}

func newConn(in io.Reader, out deadlineWriter, stop func()) *conn {
	c := &conn{
		ready: make(chan struct{}), done: make(chan struct{}), stop: stop, out: out,
		waiting: map[uint64]chan answer{}, abandoned: map[uint64]struct{}{},
	}
	go func() { c.end(c.read(in)) }()
	return c
}

// end ends the run, once. Every request that waits fails.
func (c *conn) end(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
	}
	c.mu.Unlock()
	if first {
		close(c.done)
		c.stop()
	}
}

func (c *conn) ended() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// read hands out the answers. It returns why there are no more.
func (c *conn) read(in io.Reader) error {
	lines := newScanner(in)
	var h hello
	switch {
	case !lines.Scan():
		return endOf(lines.Err())
	case decode(lines.Bytes(), &h) != nil || h.Protocol != Protocol:
		return errors.New("it does not speak " + Protocol)
	}
	close(c.ready)
	for lines.Scan() {
		var a answer
		err := decode(lines.Bytes(), &a)
		if err == nil {
			err = a.check()
		}
		if err == nil {
			err = c.hand(a)
		}
		if err != nil {
			return err
		}
	}
	return endOf(lines.Err())
}

func endOf(err error) error {
	if err != nil {
		return errLine
	}
	return errEnded
}

func (c *conn) hand(a answer) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if to, found := c.waiting[a.ID]; found {
		delete(c.waiting, a.ID)
		to <- a // it has room for one
		return nil
	}
	if _, found := c.abandoned[a.ID]; found {
		delete(c.abandoned, a.ID)
		clear(a.Data)
		return nil
	}
	return errors.New("it answers what was not asked")
}

// ask sends a request and waits for its answer, or until ctx ends. An error that is no [*Error] is
// that of ctx.
func (c *conn) ask(ctx context.Context, op, key string, data []byte) ([]byte, error) {
	deadline, found := ctx.Deadline()
	if !found {
		deadline = time.Now().Add(maxTimeout)
	}
	select {
	case <-c.ready:
	case <-c.done:
		return nil, c.failure()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	id, to := c.await()
	err := c.send(deadline, request{
		ID: id, Op: op, Key: key, Data: data,
		Timeout: max(1, time.Until(deadline).Milliseconds()),
	})
	if err != nil { // a part of it may have been written
		c.end(errors.New("it does not read what it is asked"))
	}
	select {
	case a := <-to:
		if a.Error != "" {
			return nil, &Error{a.Error, a.Reason}
		}
		return a.Data, nil
	case <-c.done:
		return nil, c.failure()
	case <-ctx.Done():
		c.abandon(id)
		return nil, ctx.Err()
	}
}

func (c *conn) failure() error {
	return &Error{Unavailable, "the program for key services failed: " + c.ended().Error()}
}

func (c *conn) await() (id uint64, to chan answer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	to = make(chan answer, 1)
	c.waiting[c.last] = to
	return c.last, to
}

func (c *conn) abandon(id uint64) {
	c.mu.Lock()
	if _, waits := c.waiting[id]; waits {
		delete(c.waiting, id)
		c.abandoned[id] = struct{}{}
	}
	stuck := len(c.abandoned) > maxAbandoned
	c.mu.Unlock()
	if stuck {
		c.end(errors.New("it answers nothing any more"))
	}
}

func (c *conn) send(deadline time.Time, r request) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.out.SetWriteDeadline(deadline); err != nil {
		return err
	}
	return send(c.out, r)
}

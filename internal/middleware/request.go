package middleware

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"time"
)

// A Request is what is known of a request besides what its client sent. The handler that finds the
// route and the caller fills them in, before it answers.
//
// It is also the context of what is done for the request, and ends with it or at its deadline.
// Most requests are answered without waiting, so there is a timer only for one that waits.
type Request struct {
	ID     string
	Client netip.Addr // as resolved through the trusted proxies; the zero Addr if it is unknown
	Route  string     // a pattern
	Caller slog.LogValuer

	parent   context.Context //nolint:containedctx // a Request is a context
	deadline time.Time       // zero for none; set before the context is used
	stream   bool            // the answer may go on for as long as its connection

	mu     sync.Mutex
	waited context.Context //nolint:containedctx // with a timer; nil before something waits
	cancel context.CancelFunc
}

type requestKey struct{}

// From returns the request that ctx belongs to. It panics outside of a handler of [New].
func From(ctx context.Context) *Request {
	req, ok := ctx.Value(requestKey{}).(*Request)
	if !ok {
		panic("middleware: the context is not that of a request")
	}
	return req
}

// Value implements [context.Context].
func (req *Request) Value(key any) any {
	if key == (requestKey{}) {
		return req
	}
	return req.parent.Value(key)
}

// Deadline implements [context.Context].
func (req *Request) Deadline() (time.Time, bool) {
	if at, ok := req.parent.Deadline(); ok && (req.deadline.IsZero() || at.Before(req.deadline)) {
		return at, true
	}
	return req.deadline, !req.deadline.IsZero()
}

// Done implements [context.Context].
func (req *Request) Done() <-chan struct{} {
	if req.deadline.IsZero() {
		return req.parent.Done()
	}
	req.mu.Lock()
	defer req.mu.Unlock()
	if req.waited == nil {
		req.waited, req.cancel = context.WithDeadline(req.parent, req.deadline)
	}
	return req.waited.Done()
}

// end stops the timer, if there is one.
func (req *Request) end() {
	req.mu.Lock()
	defer req.mu.Unlock()
	if req.cancel != nil {
		req.cancel()
	}
}

// Err implements [context.Context].
func (req *Request) Err() error {
	if req.deadline.IsZero() {
		return req.parent.Err()
	}
	req.mu.Lock()
	defer req.mu.Unlock()
	switch {
	case req.waited != nil:
		return req.waited.Err()
	case req.parent.Err() != nil:
		return req.parent.Err()
	case !time.Now().Before(req.deadline):
		return context.DeadlineExceeded
	}
	return nil
}

package rootkey

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/seal"
)

const (
	maxAttempts      = 3
	maxParallelCalls = 32  // of the whole process
	maxReason        = 300 // bytes of what a service says is wrong
)

// callSlots are held by the calls that are running, even if their callers have given up.
//
//nolint:gochecknoglobals // it bounds the whole process
var callSlots = make(chan struct{}, maxParallelCalls)

// attemptTimeout is the part of the timeout for one attempt: it leaves room for a second one and
// the pauses, and for a third if the service fails quickly.
func (s *service) attemptTimeout() time.Duration { return s.timeout * 3 / 8 }

// retry makes up to maxAttempts attempts, with growing pauses that are random so that many servers
// do not call at once. No error repeats plain. seal.ErrService, seal.ErrServiceTimeout.
func (s *service) retry(
	ctx context.Context, plain []byte, call func(context.Context) ([]byte, error),
) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	pause := s.timeout / 80
	for attempts := 1; ; attempts++ {
		result, err := s.attempt(ctx, call)
		if err == nil {
			return result, nil
		}
		if attempts == maxAttempts || !retryable(err) || ctx.Err() != nil {
			return nil, s.serviceError(err, plain)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // a pause need not be secret
			pause *= 3
		case <-ctx.Done():
			return nil, s.serviceError(err, plain)
		}
	}
}

type result struct {
	bytes []byte
	err   error
}

// attempt makes one call and waits for it no longer than attemptTimeout. The call has a goroutine
// of its own because nothing waits longer than that, whatever the call does. A call that panics
// over a response does not end the program.
func (s *service) attempt(
	ctx context.Context, call func(context.Context) ([]byte, error),
) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.attemptTimeout())
	defer cancel()
	select {
	case callSlots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if recover() != nil { // the panic may quote the response
				r = result{err: errBadResponse}
			}
			<-callSlots
			done <- r
		}()
		r.bytes, r.err = call(ctx)
	}()
	select {
	case r := <-done:
		if r.err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return r.bytes, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A callError is what a key service answered, or that it cannot be used.
type callError struct {
	status int // of HTTP; 0 without one
	reason string
	again  bool // another attempt could succeed
	late   bool // there was no answer in time
}

func (e *callError) Error() string { return e.reason }

var errBadResponse = &callError{reason: "its response cannot be used", again: true}

// retryable reports whether another attempt could succeed.
func retryable(err error) bool {
	failed, ok := errors.AsType[*callError](err)
	return !ok || failed.again
}

// serviceError makes the error of a service one of the two that callers know.
func (s *service) serviceError(err error, plain []byte) error {
	kind := seal.ErrService
	if isTimeout(err) {
		kind = seal.ErrServiceTimeout
	}
	return fmt.Errorf("%w: %s: %s", kind, s.name, safeReason(err, plain))
}

// isTimeout reports whether there was no response, or none in time.
func isTimeout(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return true
	}
	if failed, ok := errors.AsType[*callError](err); ok {
		return failed.late
	}
	lost, ok := errors.AsType[net.Error](err)
	return ok && lost.Timeout() || isConnection(err)
}

func isConnection(err error) bool {
	if _, ok := errors.AsType[*net.OpError](err); ok {
		return true
	}
	request, ok := errors.AsType[*url.Error](err)
	return ok && (errors.Is(request.Err, io.EOF) || errors.Is(request.Err, io.ErrUnexpectedEOF))
}

// safeReason returns the text of an error in one line, or another text if it quotes plain.
func safeReason(err error, plain []byte) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, form := range []string{
		base64.StdEncoding.EncodeToString(plain), base64.RawURLEncoding.EncodeToString(plain),
		hex.EncodeToString(plain), string(plain),
	} {
		if len(plain) > 0 && strings.Contains(text, form) {
			return errBadResponse.Error()
		}
	}
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	return text
}

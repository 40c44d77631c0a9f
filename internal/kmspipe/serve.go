package kmspipe

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"sync"
	"time"
)

// maxParallel is how many requests a program works on at once. A server sends no more.
const maxParallel = 64

// maxTimeout bounds the time of a request, whatever it asks for.
const maxTimeout = time.Minute

// Keys wraps and unwraps with keys that services keep. An error that is no [*Error] may be tried
// again.
type Keys interface {
	Wrap(ctx context.Context, key string, plain []byte) ([]byte, error)
	Unwrap(ctx context.Context, key string, wrapped []byte) ([]byte, error)
}

// Serve answers requests until there are no more. An error means that the other side does not keep
// to the protocol, or is gone.
func Serve(ctx context.Context, in io.Reader, out io.Writer, keys Keys) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &serving{out: out, keys: keys, slots: make(chan struct{}, maxParallel)}
	if err := send(out, hello{Protocol}); err != nil {
		return err
	}
	defer s.running.Wait()
	lines := newScanner(in)
	for lines.Scan() {
		var r request
		if decode(lines.Bytes(), &r) != nil || r.ID == 0 || r.Timeout <= 0 || len(r.Data) == 0 {
			return errors.New("a request is not one of the protocol")
		}
		s.slots <- struct{}{}
		s.running.Go(func() {
			defer func() { <-s.slots }()
			s.answer(ctx, r)
		})
	}
	if lines.Err() != nil {
		return errLine
	}
	return nil
}

type serving struct {
	keys    Keys
	slots   chan struct{}
	running sync.WaitGroup

	mu  sync.Mutex
	out io.Writer
}

func (s *serving) answer(ctx context.Context, r request) {
	defer clear(r.Data)
	ctx, cancel := context.WithTimeout(ctx,
		min(maxTimeout, time.Duration(min(r.Timeout, maxTimeout.Milliseconds()))*time.Millisecond))
	defer cancel()
	a := answer{ID: r.ID}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = send(s.out, a) // it fails if the server is gone, and then reading ends as well
		clear(a.Data)
	}()
	data, err := s.do(ctx, r)
	switch {
	case err != nil:
		a.Error, a.Reason = failureOf(err), withoutPlain(oneLine(err), r.Data)
	case len(data) == 0 || len(data) > maxData:
		a.Error, a.Reason = Unavailable, "its response cannot be used"
	default:
		a.Data = data
	}
}

func (s *serving) do(ctx context.Context, r request) (data []byte, err error) {
	defer func() {
		if recover() != nil { // the panic may quote the response
			data, err = nil, &Error{Unavailable, "its response cannot be used"}
		}
	}()
	switch r.Op {
	case opWrap:
		return s.keys.Wrap(ctx, r.Key, r.Data)
	case opUnwrap:
		return s.keys.Unwrap(ctx, r.Key, r.Data)
	}
	return nil, &Error{Refused, "there is no such operation"}
}

// withoutPlain returns another reason in place of one that repeats what was to be wrapped.
func withoutPlain(reason string, plain []byte) string {
	for _, form := range []string{
		base64.StdEncoding.EncodeToString(plain), base64.RawURLEncoding.EncodeToString(plain),
		hex.EncodeToString(plain), string(plain),
	} {
		if len(plain) > 0 && strings.Contains(reason, form) {
			return "its response cannot be used"
		}
	}
	return reason
}

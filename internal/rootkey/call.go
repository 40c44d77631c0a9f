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
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/api"
	"gocloud.dev/gcerrors"
	"gocloud.dev/secrets"

	"github.com/keysake/keysake/internal/seal"
)

// How a key service is asked.
const (
	maxCalls    = 3
	callsAtOnce = 32  // of one process, whatever it wants to know
	maxReason   = 300 // bytes of what a service says is wrong
)

// callSlots are taken by the calls that are under way, those included whose answer nobody waits for
// any more.
var callSlots = make(
	chan struct{},
	callsAtOnce,
) //nolint:gochecknoglobals // it bounds the whole process

// service is a key service behind a URL. It implements [seal.Service].
type service struct {
	keeper  *secrets.Keeper
	name    string
	timeout time.Duration // in all
}

// callTimeout is what one call gets of the whole: two of them and their pauses fit, a third if the
// service is quick to fail.
func (s *service) callTimeout() time.Duration { return s.timeout * 3 / 8 }

// Encrypt implements [seal.Service].
func (s *service) Encrypt(ctx context.Context, plain []byte) ([]byte, error) {
	return s.call(
		ctx,
		plain,
		func(ctx context.Context) ([]byte, error) { return s.keeper.Encrypt(ctx, plain) },
	)
}

// Decrypt implements [seal.Service].
func (s *service) Decrypt(ctx context.Context, sealed []byte) ([]byte, error) {
	return s.call(
		ctx,
		nil,
		func(ctx context.Context) ([]byte, error) { return s.keeper.Decrypt(ctx, sealed) },
	)
}

// call asks up to maxCalls times, with growing pauses that are spread so that many servers do not
// ask at once. No error of it repeats plain.
func (s *service) call(
	ctx context.Context,
	plain []byte,
	ask func(context.Context) ([]byte, error),
) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	pause := s.timeout / 80
	for calls := 1; ; calls++ {
		answer, err := s.once(ctx, ask)
		if err == nil {
			return answer, nil
		}
		if calls == maxCalls || !again(err) || ctx.Err() != nil {
			return nil, s.failed(err, plain)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)): //nolint:gosec // a pause need not be secret
			pause *= 3
		case <-ctx.Done():
			return nil, s.failed(err, plain)
		}
	}
}

// An answer is what one call of a service came to.
type answer struct {
	bytes []byte
	err   error
}

// once waits for one call no longer than it may take. Not every driver heeds its context, so that
// the call has a goroutine of its own; and a driver that panics over what the service answers takes
// nothing with it.
func (s *service) once(
	ctx context.Context,
	ask func(context.Context) ([]byte, error),
) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, s.callTimeout())
	defer cancel()
	select {
	case callSlots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	done := make(chan answer, 1)
	go func() {
		var a answer
		defer func() {
			if recover() != nil { // what it says may quote the answer
				a = answer{err: errNotUnderstood}
			}
			<-callSlots
			done <- a
		}()
		a.bytes, a.err = ask(ctx)
	}()
	select {
	case a := <-done:
		if a.err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return a.bytes, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

var errNotUnderstood = errors.New("its answer is not understood")

// again tells whether another try could end better.
func again(err error) bool {
	// which the driver does not classify
	if refused, ok := errors.AsType[*api.ResponseError](err); ok {
		return refused.StatusCode >= http.StatusInternalServerError ||
			refused.StatusCode == http.StatusTooManyRequests
	}
	return !slices.Contains([]gcerrors.ErrorCode{
		gcerrors.PermissionDenied,
		gcerrors.NotFound,
		gcerrors.InvalidArgument,
		gcerrors.FailedPrecondition,
		gcerrors.Unimplemented,
	}, gcerrors.Code(err))
}

// failed says which of the two ways to fail it was, and why, as far as that repeats nothing of what
// was sent or came back.
func (s *service) failed(err error, plain []byte) error {
	kind := seal.ErrService
	if silent(err) {
		kind = seal.ErrServiceTimeout
	}
	return fmt.Errorf("%w: %s: %s", kind, s.name, reason(err, plain))
}

// silent tells whether there was no answer at all, or none in time.
func silent(err error) bool {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) ||
		gcerrors.Code(err) == gcerrors.DeadlineExceeded {
		return true
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

// reason is what an error says, without what a stranger may have put there.
func reason(err error, plain []byte) string {
	text := err.Error()
	if refused, ok := errors.AsType[*api.ResponseError](err); ok {
		text = fmt.Sprintf("status %d", refused.StatusCode)
		if !refused.RawError && len(refused.Errors) > 0 {
			text += ": " + strings.Join(refused.Errors, "; ")
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	for _, form := range []string{
		base64.StdEncoding.EncodeToString(plain), base64.RawURLEncoding.EncodeToString(plain),
		hex.EncodeToString(plain), string(plain),
	} {
		if len(plain) > 0 && strings.Contains(text, form) {
			return errNotUnderstood.Error()
		}
	}
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	return text
}

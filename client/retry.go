package client

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// How often a request is sent again, and how long it waits before that, unless [WithRetries] says
// otherwise.
const (
	defaultRetries = 3
	defaultWait    = 10 * time.Second
	firstWait      = 200 * time.Millisecond
)

// WithRetries says how often a request is sent again if that is safe, and how long it waits before
// that at most: if the server asks for more patience, its answer is returned at once. The default
// is three times, and ten seconds. With 0 nothing is sent again.
//
// After a 429 and after a refused connection, which say that nothing was done, every request is
// sent again. After a 503, or if the connection broke, only one is that changes nothing or is done
// once however often it is sent: a GET, one with an idempotency key, and one that is sealed.
func WithRetries(times int, longest time.Duration) Option {
	return func(c *Client) { c.retries, c.longest = times, longest }
}

// roundTrip sends a request, and sends it again while that is safe and of use.
func (c *Client) roundTrip(req *http.Request) (*http.Response, error) {
	for tried := 0; ; tried++ {
		res, err := c.http.Do(req)
		wait, again := c.backoff(req, res, err, tried)
		if !again {
			return res, err
		}
		if res != nil {
			// A body that was read to its end leaves the connection for the next request.
			_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 1<<16))
			_ = res.Body.Close()
		}
		if !sleep(req.Context(), wait) {
			return nil, req.Context().Err()
		}
		if req.GetBody != nil {
			if req.Body, err = req.GetBody(); err != nil {
				return nil, err
			}
		}
	}
}

// backoff returns how long to wait before a request is sent again, and whether it is.
func (c *Client) backoff(
	req *http.Request, res *http.Response, err error, tried int,
) (wait time.Duration, again bool) {
	if tried >= c.retries || req.Context().Err() != nil {
		return 0, false
	}
	// Half of it is random, so that many clients do not come back at once.
	wait = firstWait << min(tried, 10)
	wait = wait/2 + rand.N(wait/2+1) //nolint:gosec // no secret
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
	case err != nil:
		return wait, isSafe(req) && !isTimeout(err) && !isTrust(err)
	case res.StatusCode == http.StatusTooManyRequests:
	case res.StatusCode == http.StatusServiceUnavailable && isSafe(req):
	default:
		return 0, false
	}
	if asked := retryAfter(res); asked > 0 {
		wait = asked
	}
	return wait, wait <= c.longest
}

// isSafe reports whether a request changes no more if it is sent twice.
func isSafe(req *http.Request) bool {
	return req.Method == http.MethodGet || req.Header.Get("Idempotency-Key") != "" ||
		strings.HasPrefix(req.Header.Get("Content-Type"), sealedType)
}

// isTrust reports whether the server's certificate, or that there is none, is what is wrong.
func isTrust(err error) bool {
	_, bad := errors.AsType[*tls.CertificateVerificationError](err)
	_, none := errors.AsType[tls.RecordHeaderError](err)
	return bad || none
}

func isTimeout(err error) bool {
	late, ok := errors.AsType[interface {
		error
		Timeout() bool
	}](err)
	return ok && late.Timeout()
}

func retryAfter(res *http.Response) time.Duration {
	if res == nil {
		return 0
	}
	seconds, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// sleep waits, and reports whether ctx did not end before.
func sleep(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

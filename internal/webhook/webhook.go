// Package webhook sends events to the one address that the operator names. Headers, signature,
// form of the key and retries are those of Standard Webhooks 1.0.0
// (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md),
// for which receivers have libraries.
package webhook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrGone is in the error of an event whose receiver wants no more of them.
var ErrGone = errors.New("the receiver wants no more events (410)")

// What sending an event takes at most.
const (
	timeout   = 10 * time.Second
	maxAnswer = 64 << 10
)

// A Message is an event as it is sent. It has the same ID each time.
type Message struct{ ID, Body string }

// An Endpoint is where events are sent. It is safe for concurrent use.
type Endpoint struct {
	url       string
	keys      []Key
	transport http.RoundTripper
}

// New returns the endpoint of a URL, reached through a transport. Messages are signed with each of
// the keys.
func New(address string, keys []Key, transport http.RoundTripper) *Endpoint {
	return &Endpoint{address, keys, transport}
}

// Send sends a message once. [ErrGone]. Any other error is of a message that may be sent again, and
// shows nothing of the URL, which may have a secret in it.
func (e *Endpoint) Send(ctx context.Context, m Message, at time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url, strings.NewReader(m.Body))
	if err != nil {
		return errors.New("the URL of the webhook is not one")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "keysake-webhook")
	r.Header.Set("Webhook-Id", m.ID)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("Webhook-Signature", sign(e.keys, m, at))
	// No redirect is followed: what is signed for one address is not for another.
	answer, err := e.transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("send to the webhook: %w", err)
	}
	defer answer.Body.Close() //nolint:errcheck // its status says it all
	// A connection can be used again once its answer was read.
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer)
	switch {
	case answer.StatusCode == http.StatusGone:
		return ErrGone
	case answer.StatusCode/100 != 2:
		return fmt.Errorf("the webhook answered %d", answer.StatusCode)
	}
	return nil
}

// Pause returns how long to wait after so many attempts that failed, and false if there is to be no
// further one.
func Pause(failed int) (time.Duration, bool) {
	pauses := [...]time.Duration{
		5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
		10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
	}
	if failed < 1 || failed > len(pauses) {
		return 0, false
	}
	return pauses[failed-1], true
}

package middleware

import (
	"context"
	"io"
	"net/http"
	"time"
)

const (
	// readMargin is how much later than its context a body's reads end, so that a handler that
	// waits for its body sees its own deadline and not a client that went away.
	readMargin = time.Second
	// answerTime is how long after its deadline a handler's answer may take to reach the client.
	answerTime = 20 * time.Second
)

// Limits are what one route allows a request. The server's own deadlines hold until [Limits.Begin].
type Limits struct {
	// MaxBody is how many bytes of a body may be read. The read past them fails with an
	// [http.MaxBytesError], and if the length is declared, so does the first one.
	MaxBody int64
	// Timeout is how long the request may take. Zero is for streams, which end with their
	// connection: it lifts the deadlines of the server as well.
	Timeout time.Duration
}

// Begin returns the request under its limits. The caller calls the function when it has answered.
func (l Limits) Begin(w http.ResponseWriter, r *http.Request) (*http.Request, context.CancelFunc) {
	ctx, cancel := r.Context(), context.CancelFunc(func() {})
	var read, write time.Time // never
	if l.Timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, l.Timeout)
		read = time.Now().Add(l.Timeout + readMargin)
		write = time.Now().Add(l.Timeout + answerTime)
	}
	// Only a connection has deadlines: a test's recorder has none to set.
	control := http.NewResponseController(w)
	_, _ = control.SetReadDeadline(read), control.SetWriteDeadline(write)
	body := http.MaxBytesReader(w, r.Body, l.MaxBody)
	if r.ContentLength > l.MaxBody {
		body = tooLong{r.Body, l.MaxBody}
	}
	r = r.WithContext(ctx)
	r.Body = body
	return r, cancel
}

// tooLong is a body whose declared length is over the limit: there is no need to wait for it.
type tooLong struct {
	io.Closer
	limit int64
}

func (b tooLong) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: b.limit} }

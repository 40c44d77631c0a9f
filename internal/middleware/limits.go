package middleware

import (
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
	// connection: it lifts the deadlines of the server as well, and such an answer is logged and
	// counted when it begins.
	Timeout time.Duration
}

// bodyTimeout is how long a request for a stream may take that has a body: it is none, and what it
// announces may never come.
const bodyTimeout = 10 * time.Second

// Begin puts a request of [New] under its limits.
func (l Limits) Begin(w http.ResponseWriter, r *http.Request) {
	if l.Timeout == 0 && r.Body != http.NoBody {
		l.Timeout = bodyTimeout
	}
	From(r.Context()).stream = l.Timeout == 0
	var read, write time.Time // never
	if l.Timeout > 0 {
		deadline := time.Now().Add(l.Timeout)
		From(r.Context()).deadline = deadline
		read, write = deadline.Add(readMargin), deadline.Add(answerTime)
	}
	// Only a connection has deadlines: a test's recorder has none to set.
	control := http.NewResponseController(w)
	_, _ = control.SetReadDeadline(read), control.SetWriteDeadline(write)
	switch {
	case r.Body == http.NoBody:
	case r.ContentLength > l.MaxBody:
		r.Body = tooLong{r.Body, l.MaxBody}
	default:
		r.Body = http.MaxBytesReader(w, r.Body, l.MaxBody)
	}
}

// tooLong is a body whose declared length is over the limit: there is no need to wait for it.
type tooLong struct {
	io.Closer
	limit int64
}

func (b tooLong) Read([]byte) (int, error) { return 0, &http.MaxBytesError{Limit: b.limit} }

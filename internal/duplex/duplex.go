// Package duplex lets the answer of a proxy begin, and end, before its request has ended.
package duplex

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// rest is how long the client of a request that was answered early may take to end it.
const rest = time.Second

// An Exchange is a request with a body that is under way at a [httputil.ReverseProxy]. The zero
// Exchange is that of a request without one: it does nothing.
type Exchange struct {
	control *http.ResponseController
	one     bool        // the client speaks HTTP/1
	isRead  atomic.Bool // the body, to its end
}

// Start lets the answer begin early. Without it, the server of HTTP/1 reads what is left of the
// body itself when the answer begins, and takes it away from whom it is passed on to.
func (e *Exchange) Start(w http.ResponseWriter, r *http.Request) {
	if r.Body == nil || r.Body == http.NoBody || r.Header.Get("Upgrade") != "" {
		return
	}
	e.control, e.one = http.NewResponseController(w), r.ProtoMajor == 1
	if e.one {
		_ = e.control.EnableFullDuplex() // HTTP/1 always can
	}
}

// BodyRead notes what reading the body returned.
func (e *Exchange) BodyRead(err error) {
	if errors.Is(err, io.EOF) {
		e.isRead.Store(true)
	}
}

// Begin is called with the header of the answer. A connection of HTTP/1 ends with a request whose
// rest nobody wants: what still comes of it must not be taken for the next.
func (e *Exchange) Begin(h http.Header) {
	if e.one && !e.isRead.Load() {
		h.Set("Connection", "close")
	}
}

// Answered is called by the handler when it has read the whole answer. It ends the reading of the
// body, for which the proxy would wait otherwise.
func (e *Exchange) Answered() {
	if e.control != nil && !e.isRead.Load() {
		_ = e.control.SetReadDeadline(time.Unix(1, 0))
	}
}

// End is called as the handler returns. The client has a second to end its request, so that it
// reads the answer before its connection is closed.
func (e *Exchange) End() {
	if e.control != nil {
		_ = e.control.SetReadDeadline(time.Now().Add(rest))
	}
}

// Request returns the body of a request, noted as it is read.
func (e *Exchange) Request(body io.ReadCloser) io.ReadCloser { return request{body, e} }

// Answer returns the body of an answer, noted as it is read by the handler.
func (e *Exchange) Answer(body io.ReadCloser) io.ReadCloser { return answer{body, e} }

type request struct {
	io.ReadCloser
	exchange *Exchange
}

func (r request) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	r.exchange.BodyRead(err)
	return n, err
}

type answer struct {
	io.ReadCloser
	exchange *Exchange
}

func (a answer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	if err != nil {
		a.exchange.Answered()
	}
	return n, err
}

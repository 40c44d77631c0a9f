package broker

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keysake/keysake/internal/duplex"
	"github.com/keysake/keysake/internal/redact"
	"github.com/keysake/keysake/internal/vault"
)

// A flow is a request that is under way, with its answer.
type flow struct {
	match       match
	target      target
	placeholder string
	credential  credential
	quota       *quota
	counted     bool          // by the quota
	masks       *redact.Masks // of the value; nil if it is not looked for
	scrubs      bool          // what reads the answer heeds it, too
	own         *redact.Masks // of the placeholders of the lease
	grant       vault.Grant
	idle        time.Duration // for how long nothing may move after the answer began; 0: for ever
	passes      []string      // content codings that are passed on as they are

	began    time.Time
	replier  replier
	request  *http.Request // as it is sent on
	cancel   context.CancelCauseFunc
	control  *http.ResponseController
	exchange duplex.Exchange // with its body
	answer   *http.Response

	sent, received, moved atomic.Int64
	busy                  atomic.Bool // a request is under way inside its connection
	usage                 usage
	said                  said

	mu     sync.Mutex
	status int // of the provider's answer; 0 before it began
	conn   net.Conn
	ended  bool
	over   bool     // its handler returns: what it wrote to is another one's
	why    *refusal // if no key was attached, or the answer did not come
}

type flowKey struct{}

func flowOf(ctx context.Context) *flow {
	f, _ := ctx.Value(flowKey{}).(*flow)
	return f
}

// past is a deadline that ends whatever waits.
var past = time.Unix(1, 0) //nolint:gochecknoglobals // a constant

// end ends a request: at once, whatever it waits for. One whose answer has not begun is still told
// why. Who reads a body may call it when the answer has been written: then it does nothing.
func (f *flow) end(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.over {
		return
	}
	f.ended = true
	f.cancel(why)
	if f.conn != nil {
		_ = f.conn.SetDeadline(past) // a connection that is closed needs none
		return
	}
	_ = f.control.SetReadDeadline(past)
	if f.status != 0 {
		_ = f.control.SetWriteDeadline(past)
	}
}

// begin notes that the answer begins.
func (f *flow) begin(status int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status = status
	f.touch()
}

func (f *flow) fail(why *refusal) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.why = why
}

// finish notes that the handler returns, and returns why there was no answer of the provider's.
func (f *flow) finish() *refusal {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.over = true
	return f.why
}

// isTaken reports whether another protocol has the connection.
func (f *flow) isTaken() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.conn != nil
}

func (f *flow) touch() { f.moved.Store(time.Now().UnixNano()) }

// isIdle reports whether nothing moved for too long since the answer began. Before that only the
// client and the lease end a request: providers think for minutes.
func (f *flow) isIdle(now time.Time) bool {
	at := f.moved.Load()
	return f.idle > 0 && at != 0 && now.Sub(time.Unix(0, at)) > f.idle
}

// count counts bytes, and ends the request when its lease allows no more.
func (f *flow) count(to *atomic.Int64, n int) {
	if n == 0 {
		return
	}
	to.Add(int64(n))
	if f.idle > 0 && f.moved.Load() != 0 {
		f.touch()
	}
	if !f.quota.addBytes(int64(n)) {
		f.end(errBytes)
	}
}

// An upload is the body of a request, counted.
type upload struct {
	io.ReadCloser
	flow *flow
}

func (u upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.flow.count(&u.flow.sent, n)
	u.flow.exchange.BodyRead(err)
	return n, err
}

// A download is the body of an answer, counted.
type download struct {
	io.ReadCloser
	flow *flow
}

func (d download) Read(p []byte) (int, error) {
	n, err := d.ReadCloser.Read(p)
	d.flow.count(&d.flow.received, n)
	if !d.flow.scrubs {
		d.flow.heed(p[:n], err)
	}
	if err != nil {
		d.flow.answered()
	}
	return n, err
}

// answered is called when the body of an answer has ended. It does to the trailer what was done to
// the header: it is there now, and passed on after this.
func (f *flow) answered() {
	f.exchange.Answered()
	if f.answer != nil && len(f.answer.Trailer) > 0 {
		f.clean(f.answer.Trailer)
	}
}

// clean takes out of a header of an answer what is no business of the client, and the value. It
// reports whether the provider repeated that.
func (f *flow) clean(h http.Header) (echoed bool) {
	delete(h, "Set-Cookie") // cookies of the client are not passed on either
	delete(h, "Keysake-Broker")
	return f.masks != nil && scrubHeader(h, f.masks, f.grant.Value.Len())
}

// An upgraded is the connection of another protocol, counted.
type upgraded struct {
	io.ReadWriteCloser
	flow *flow
}

func (u upgraded) Read(p []byte) (int, error) {
	n, err := u.ReadWriteCloser.Read(p)
	u.flow.count(&u.flow.received, n)
	return n, err
}

func (u upgraded) Write(p []byte) (int, error) {
	n, err := u.ReadWriteCloser.Write(p)
	u.flow.count(&u.flow.sent, n)
	return n, err
}

// WriteTo implements [io.WriterTo], and ReadFrom [io.ReaderFrom]: with a smaller buffer than that
// of [io.Copy], because connections are many and long.
func (u upgraded) WriteTo(w io.Writer) (int64, error) { return copySmall(w, u) }

// ReadFrom implements [io.ReaderFrom].
func (u upgraded) ReadFrom(r io.Reader) (int64, error) { return copySmall(u, r) }

// CloseWrite tells the provider that the client sends no more.
func (u upgraded) CloseWrite() error {
	if c, ok := u.ReadWriteCloser.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return u.Close()
}

const smallBuffer = 4 << 10

func copySmall(w io.Writer, r io.Reader) (int64, error) {
	// The wrappers hide what would choose another buffer.
	return io.CopyBuffer(
		struct{ io.Writer }{w}, struct{ io.Reader }{r}, make([]byte, smallBuffer),
	)
}

// A replier is what the answer of a flow is written to. It tells the flow of a connection that
// another protocol takes, and passes no answers on that come before the true one: nobody cleaned
// their headers.
type replier struct {
	http.ResponseWriter
	flow *flow
}

// WriteHeader implements [http.ResponseWriter].
func (w *replier) WriteHeader(status int) {
	if status >= http.StatusOK || status == http.StatusSwitchingProtocols {
		w.ResponseWriter.WriteHeader(status)
	}
}

// Hijack implements [http.Hijacker].
func (w *replier) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(w.ResponseWriter).Hijack()
	w.flow.mu.Lock()
	defer w.flow.mu.Unlock()
	w.flow.conn = conn
	if w.flow.ended && conn != nil {
		_ = conn.SetDeadline(past)
	}
	return conn, rw, err
}

// Unwrap is for [http.ResponseController].
func (w *replier) Unwrap() http.ResponseWriter { return w.ResponseWriter }

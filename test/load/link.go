package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// A Link is one client: HTTP/1.1 by hand on a connection that is kept open, as cheap as it gets.
type Link struct {
	conn net.Conn
	buf  []byte
}

// maxAnswer is the size of the largest answer that is understood.
const maxAnswer = 64 << 10

// Dial connects to a server. The link lasts until the deadline.
func Dial(ctx context.Context, address string, deadline time.Time) (*Link, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return On(conn, deadline)
}

// On makes a link of a connection, which may be one of TLS.
func On(conn net.Conn, deadline time.Time) (*Link, error) {
	return &Link{conn, make([]byte, maxAnswer)}, conn.SetDeadline(deadline)
}

// Until sets another deadline.
func (l *Link) Until(deadline time.Time) error { return l.conn.SetDeadline(deadline) }

// Close ends the connection. Every answer was read.
func (l *Link) Close() { _ = l.conn.Close() }

// Exchange sends a request and reads the whole answer, which must have the wanted status. The
// answer is valid until the next exchange.
func (l *Link) Exchange(request []byte, want string) (answer []byte, err error) {
	if _, err := l.conn.Write(request); err != nil {
		return nil, err
	}
	for n := 0; ; {
		m, err := l.conn.Read(l.buf[n:])
		if err != nil {
			return nil, err
		}
		n += m
		if whole(l.buf[:n]) {
			return l.buf[:n], checkStatus(l.buf[:n], want)
		}
		if n == len(l.buf) {
			return nil, errors.New("the answer is too long")
		}
	}
}

// pause is how long a server that is busy is left alone.
const pause = time.Second

// errBusy is the error of an answer of 429 or 503.
var errBusy = errors.New("the server is busy")

// Insist is Exchange, and sends the request again as long as the server is busy.
func (l *Link) Insist(ctx context.Context, request []byte, want string) error {
	for {
		_, err := l.Exchange(request, want)
		if !errors.Is(err, errBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause):
		}
	}
}

// Body returns the body of an answer that says how long it is.
func Body(answer []byte) []byte {
	_, body, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	return body
}

func checkStatus(answer []byte, want string) error {
	const before = len("HTTP/1.1 ")
	if got := string(answer[before : before+len(want)]); got != want {
		err := fmt.Errorf("the answer is %s, not %s: %s", got, want, Body(answer))
		if got == "429" || got == "503" {
			err = errors.Join(errBusy, err)
		}
		return err
	}
	return nil
}

// whole tells whether b is a whole answer. Either it has no body, or it says how long that is, or
// it is in chunks, of which the last is empty.
func whole(b []byte) bool {
	head := bytes.Index(b, []byte("\r\n\r\n"))
	if head < 0 || bytes.HasPrefix(b, []byte("HTTP/1.1 204 ")) {
		return head >= 0
	}
	_, after, found := bytes.Cut(b[:head], []byte("\r\nContent-Length: "))
	if !found {
		return bytes.HasSuffix(b, []byte("\r\n0\r\n\r\n"))
	}
	digits, _, _ := bytes.Cut(after, []byte("\r\n"))
	length, err := strconv.Atoi(string(digits))
	return err == nil && len(b) >= head+len("\r\n\r\n")+length
}

package apptest

import (
	"bytes"
	"encoding/base64"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// A Recorder passes connections on to a server, and keeps what goes by in either direction.
type Recorder struct {
	URL string

	mutex sync.Mutex
	seen  bytes.Buffer
}

// Record starts a recorder in front of the server at this address. It ends with the test.
func Record(tb testing.TB, to string) *Recorder {
	tb.Helper()
	u, err := url.Parse(to)
	Must(tb, err)
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", "127.0.0.1:0")
	Must(tb, err)
	tb.Cleanup(func() { _ = l.Close() })
	r := &Recorder{URL: "http://" + l.Addr().String()}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			server, err := (&net.Dialer{}).DialContext(tb.Context(), "tcp", u.Host)
			if err != nil {
				_ = from.Close()
				return
			}
			go r.pass(server, from)
			go r.pass(from, server)
		}
	}()
	return r
}

// pass copies one direction, which it records.
func (r *Recorder) pass(to, from net.Conn) {
	defer to.Close()
	_, _ = io.Copy(io.MultiWriter(r, to), from)
}

func (r *Recorder) Write(p []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.seen.Write(p)
}

// Saw reports in which form a text went by; empty if in none.
func (r *Recorder) Saw(text string) string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	forms := map[string]string{"as it is": text}
	for shift := range 3 {
		for name, e := range map[string]*base64.Encoding{
			"base64": base64.StdEncoding, "URL's base64": base64.URLEncoding,
		} {
			encoded := e.EncodeToString([]byte(strings.Repeat(" ", shift) + text))
			forms[name] = encoded[4 : len(encoded)-4]
		}
		for form, text := range forms {
			if bytes.Contains(r.seen.Bytes(), []byte(text)) {
				return form
			}
		}
	}
	return ""
}

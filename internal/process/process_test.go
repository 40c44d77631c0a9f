package process

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"testing"
)

// net/http quotes bytes that come after an answer in package log.
//
//nolint:paralleltest // there is one log for the process
func TestWhatAServerSendsUnaskedIsNotLogged(t *testing.T) {
	var logged strings.Builder
	before := log.Writer()
	t.Cleanup(func() { log.SetOutput(before) })
	log.SetOutput(&logged)
	if err := Harden(); err != nil {
		t.Log(err) // not everywhere can all of it be done
	}
	near, far := net.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = far.Read(make([]byte, 4096))
		_, _ = io.WriteString(far, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokcanary")
		_, _ = far.Read(make([]byte, 1)) // until the connection is given up
	}()
	transport := &http.Transport{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return near, nil },
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://example.com", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	<-ended
	if strings.Contains(logged.String(), "canary") {
		t.Errorf("logged: %s", &logged)
	}
}

package broker_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

func TestAnAnswerMayEndBeforeItsRequestAndWhatStillComesIsNoRequest(t *testing.T) {
	t.Parallel()
	for _, two := range []bool{false, true} {
		var asked atomic.Int64
		s := startBefore(t, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.WriteString(w, "no")
		}, two)
		l := s.lease("openai")
		rest := "GET /openai/v1/x HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + l.placeholder +
			"\r\n\r\n"
		conn := must(net.Dial("tcp", s.Listener.Addr().String()))
		_, _ = fmt.Fprintf(conn, "POST /openai/v1/x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"+
			"Authorization: Bearer %s\r\n\r\n", len(rest), l.placeholder)
		from := bufio.NewReader(conn)
		answer, err := http.ReadResponse(from, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || string(body) != "no" || !answer.Close {
			t.Errorf("the answer is %q: %v; the connection ends: %t", body, err, answer.Close)
		}
		_, _ = io.WriteString(conn, rest)
		if more, err := io.ReadAll(from); len(more) > 0 || err != nil {
			t.Errorf("then comes %q: %v", more, err)
		}
		_ = conn.Close()
		if asked.Load() != 1 {
			t.Errorf("%d requests arrive", asked.Load())
		}
	}
}

func TestAnAnswerEndsThoughItsClientOfHTTP2GoesOn(t *testing.T) {
	t.Parallel()
	for _, two := range []bool{false, true} {
		s := startBefore(t, func(w http.ResponseWriter, _ *http.Request) {
			_ = http.NewResponseController(w).EnableFullDuplex()
			_, _ = io.WriteString(w, "no")
		}, two)
		body, w := io.Pipe()
		resp := must(
			s.open(t.Context(), "POST", "/openai/v1/x", bearer(s.lease("openai")), body, true),
		)
		got, err := io.ReadAll(resp.Body)
		if err != nil || string(got) != "no" {
			t.Errorf("the answer is %q: %v", got, err)
		}
		_ = w.Close()
		_ = resp.Body.Close()
	}
}

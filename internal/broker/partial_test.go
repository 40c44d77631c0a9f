package broker_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/vault"
)

// A client could ask for the key in two parts, and put them together.
func TestAPartOfATextIsNotPassedOn(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		if kind := r.Header.Get("X-Kind"); kind != "" {
			w.Header().Set("Content-Type", kind)
		} else {
			w.Header()["Content-Type"] = nil
		}
		w.WriteHeader(http.StatusPartialContent)
		_, _ = io.WriteString(w, r.Header.Get("Authorization"))
	})
	l := s.lease("openai")
	for kind, passes := range map[string]bool{
		"application/json": false, "text/plain; charset=utf-8": false, "": false,
		"multipart/byteranges; boundary=x": false, "application/octet-stream": true,
	} {
		h := bearer(l)
		h.Set("Range", "bytes=0-")
		h.Set("X-Kind", kind)
		got := s.ask("GET", "/openai/v1/files/x/content", h, nil)
		if passes != (got.status == 206) || !passes && got.rule() != "answer" ||
			!passes && strings.Contains(got.body, l.value) {
			t.Errorf("%q: %d by %q", kind, got.status, got.rule())
		}
	}
}

func TestALimitOfTokensLetsNoWebSocketPass(t *testing.T) {
	t.Parallel()
	s := start(t, duplexer)
	for tokens, want := range map[int64]int{0: 101, 1000: 403} {
		l := s.lease("openai", func(g *vault.Grant) { g.Limits.Tokens = tokens })
		_, _, resp := s.dial("/openai/v1/realtime", "Connection: Upgrade\r\n"+
			"Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\n"+
			"Authorization: Bearer "+l.placeholder+"\r\n")
		if resp.StatusCode != want {
			t.Errorf("a limit of %d tokens: %d", tokens, resp.StatusCode)
		}
	}
}

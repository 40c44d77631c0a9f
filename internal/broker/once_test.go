package broker_test

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAPOSTIsSentOnceHoweverItsConnectionEnds(t *testing.T) {
	t.Parallel()
	for _, two := range []bool{false, true} {
		var came atomic.Int64
		s := startBefore(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			if r.URL.Path != "/v1/break" {
				return // and the connection stays, for the next request
			}
			came.Add(1)
			panic(http.ErrAbortHandler)
		}, two)
		l := s.lease("openai")
		for name, body := range map[string]io.Reader{
			"no body": nil, "a body": strings.NewReader("text"),
			"chunks": io.MultiReader(strings.NewReader("text")),
		} {
			h := bearer(l)
			h.Set("Idempotency-Key", "one")
			h.Set("X-Idempotency-Key", "two")
			if got := s.ask("POST", "/openai/v1/open", h, nil); got.status != 200 {
				t.Errorf("%s: %v", name, got)
			}
			came.Store(0)
			got := s.ask("POST", "/openai/v1/break", h, body)
			if n := came.Load(); n != 1 || got.status != 502 || got.rule() != "upstream" {
				t.Errorf("%s, %t: it came %d times, answered %v", name, two, n, got)
			}
		}
	}
}

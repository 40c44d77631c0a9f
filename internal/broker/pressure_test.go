package broker_test

import (
	"io"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// flood is more than all buffers of the system between a client and a provider hold.
const flood = 128 << 20

// settled returns a counter when it does not grow any more.
func settled(n *atomic.Int64) int64 {
	for last, since := int64(-1), time.Now(); ; time.Sleep(10 * time.Millisecond) {
		if now := n.Load(); now != last {
			last, since = now, time.Now()
		} else if time.Since(since) > 500*time.Millisecond && now > 0 {
			return now
		}
	}
}

// pour writes a flood, and counts what was taken.
func pour(w io.Writer, n *atomic.Int64) {
	chunk := make([]byte, 32<<10)
	for n.Load() < flood {
		wrote, err := w.Write(chunk)
		n.Add(int64(wrote))
		if err != nil {
			return
		}
	}
}

func TestWhoReadsSlowlySlowsDownWhoWritesAndFillsNoMemory(t *testing.T) {
	t.Parallel()
	for _, two := range []bool{false, true} {
		var down, up atomic.Int64
		read := make(chan struct{})
		s := startBefore(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodGet {
				pour(w, &down)
				return
			}
			<-read
			n, _ := io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Length", "0")
			if n != flood {
				w.WriteHeader(http.StatusTeapot)
			}
		}, two)
		l := s.lease("openai")
		resp := must(s.open(t.Context(), "GET", "/openai/v1/files", bearer(l), nil, two))
		if n := settled(&down); n > flood/4 {
			t.Errorf("%d bytes came for a client that reads none", n)
		}
		if n := must(io.Copy(io.Discard, resp.Body)); n != flood {
			t.Errorf("%d bytes came in the end", n)
		}
		_ = resp.Body.Close()
		body, w := io.Pipe()
		go func() { pour(w, &up); _ = w.Close() }()
		done := make(chan *http.Response, 1)
		go func() {
			done <- must(s.open(t.Context(), "POST", "/openai/v1/files", bearer(l), body, two))
		}()
		if n := settled(&up); n > flood/4 {
			t.Errorf("%d bytes were taken for a provider that reads none", n)
		}
		close(read)
		got := <-done
		_ = got.Body.Close()
		if got.StatusCode != http.StatusOK {
			t.Errorf("the upload is answered %d", got.StatusCode)
		}
	}
}

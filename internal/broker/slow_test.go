package broker_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keysake/keysake/internal/broker"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
)

// A provider of a function, for tests of hours that a bubble passes at once.
type provider func(*http.Request) (*http.Response, error)

func (p provider) RoundTrip(r *http.Request) (*http.Response, error) { return p(r) }

// startSlow is start without any connection. It returns the broker's handler.
func startSlow(
	t *testing.T, answer provider,
) (*site, func(r *http.Request) *httptest.ResponseRecorder) {
	t.Helper()
	s := &site{t: t, grants: &grants{live: map[string]vault.Grant{}}}
	s.catalog = must(catalog.Load())
	s.broker = broker.New(broker.Options{
		Grants: s.grants, Catalog: s.catalog, Upstream: answer, Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { s.broker.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return s, func(r *http.Request) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		s.broker.ServeHTTP(w, r)
		return w
	}
}

func answered(r *http.Request, status int, body io.Reader) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: -1,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(body),
	}
}

// A drip gives a byte after each pause.
type drip struct {
	text  string
	pause time.Duration
	done  <-chan struct{}
}

func (d *drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(d.pause):
	case <-d.done:
		return 0, context.Canceled
	}
	if d.text == "" {
		return 0, io.EOF
	}
	n := copy(p[:1], d.text)
	d.text = d.text[n:]
	return n, nil
}

func TestNothingThatTakesLongIsCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ask := startSlow(t, func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			if err != nil || len(body) != 180 {
				t.Errorf("%d bytes arrived: %v", len(body), err)
			}
			time.Sleep(11 * time.Minute) // before the headers
			return answered(r, http.StatusRequestTimeout,
				&drip{"queued", time.Hour, r.Context().Done()}), nil
		})
		l := s.lease("openai")
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/openai/v1/responses",
			&drip{strings.Repeat("x", 180), time.Second, nil})
		r.Header = bearer(l)
		got := ask(r)
		if got.Code != http.StatusRequestTimeout || got.Body.String() != "queued" {
			t.Errorf("%d %s", got.Code, got.Body)
		}
	})
}

func TestAStreamInWhichNothingMovesForTooLongEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for pause, want := range map[time.Duration]string{
			115 * time.Second: "ab", 130 * time.Second: "",
		} {
			s, ask := startSlow(t, func(r *http.Request) (*http.Response, error) {
				return answered(r, http.StatusOK, &drip{"ab", pause, r.Context().Done()}), nil
			})
			l := s.lease("tinker") // of two minutes
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet,
				"/tinker/services/tinker-prod/api/v1/retrieve_future", nil)
			r.Header = http.Header{"X-Api-Key": {l.placeholder}}
			if got := ask(r); got.Body.String() != want {
				t.Errorf("with pauses of %v: %q", pause, got.Body)
			}
		}
	})
}

func TestWhatOtherServersRecordedOfALeaseCountsAndSoDoesWhatFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := false
		s, ask := startSlow(t, func(r *http.Request) (*http.Response, error) {
			if fails {
				return nil, io.ErrUnexpectedEOF
			}
			return answered(r, http.StatusOK, strings.NewReader("{}")), nil
		})
		s.grants.elsewhere = vault.BrokerUse{Requests: 3, Bytes: 1 << 20}
		l := s.lease("openai", func(g *vault.Grant) { g.Limits.Requests = 6 })
		get := func() int {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/openai/v1/models", nil)
			r.Header = bearer(l)
			return ask(r).Code
		}
		if got := get(); got != http.StatusOK {
			t.Errorf("the first: %d", got)
		}
		time.Sleep(2 * time.Second) // it is recorded, and what others recorded is known
		fails = true
		if got := get(); got != http.StatusBadGateway {
			t.Errorf("the fifth in all: %d", got)
		}
		fails = false
		time.Sleep(2 * time.Second)
		if got := []int{get(), get()}; got[0] != http.StatusOK || got[1] != 429 {
			t.Errorf("the sixth and the seventh: %d", got)
		}
		narrow := s.lease("openai", func(g *vault.Grant) { g.Limits.Bytes = 1 << 20 })
		l = narrow
		if got := get(); got != http.StatusOK {
			t.Errorf("before the bytes of others are known: %d", got)
		}
		time.Sleep(2 * time.Second)
		if got := get(); got != 429 {
			t.Errorf("after their bytes are known: %d", got)
		}
	})
}

package middleware

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestARequestEndsAtItsDeadlineForWhatWaitsAndForWhatLooks(t *testing.T) {
	wait := func(ctx context.Context) { <-ctx.Done() }
	for name, pass := range map[string]func(context.Context){
		"waits": wait,
		"waits in part": func(ctx context.Context) {
			part, end := context.WithCancel(ctx)
			defer end()
			wait(part)
		},
		"looks":      func(context.Context) { time.Sleep(time.Second) },
		"looks late": func(ctx context.Context) { time.Sleep(time.Minute); wait(ctx) },
	} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			req := &Request{parent: t.Context(), deadline: began.Add(time.Second)}
			defer req.end()
			time.Sleep(time.Second - 1)
			if err := req.Err(); err != nil {
				t.Errorf("%s: it has ended before its time: %v", name, err)
			}
			pass(req)
			if err := req.Err(); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: its error is %v", name, err)
			}
			if at, ok := req.Deadline(); !ok || !at.Equal(began.Add(time.Second)) {
				t.Errorf("%s: its deadline is %v", name, at)
			}
		})
	}
}

func TestARequestEndsWithItsConnection(t *testing.T) {
	for name, deadline := range map[string]time.Time{
		"no deadline": {}, "a deadline": time.Now().Add(time.Hour),
	} {
		for _, waits := range []bool{false, true} {
			parent, end := context.WithCancel(t.Context())
			req := &Request{parent: parent, deadline: deadline}
			if waits {
				_ = req.Done()
			}
			if err := req.Err(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			end()
			if err := req.Err(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s: its error is %v", name, err)
			}
			<-req.Done()
		}
	}
}

// A parent may have a deadline of its own.
func TestTheEarlierDeadlineCounts(t *testing.T) {
	soon, late := time.Now().Add(time.Minute), time.Now().Add(time.Hour)
	for _, c := range []struct{ parent, own, want time.Time }{
		{soon, late, soon}, {late, soon, soon}, {soon, time.Time{}, soon},
	} {
		parent, end := context.WithDeadline(t.Context(), c.parent)
		defer end()
		req := &Request{parent: parent, deadline: c.own}
		if at, ok := req.Deadline(); !ok || !at.Equal(c.want) {
			t.Errorf("the deadline is %v instead of %v", at, c.want)
		}
	}
	if _, ok := (&Request{parent: t.Context()}).Deadline(); ok {
		t.Error("a stream has a deadline")
	}
}

// A request that waits for nothing has no timer, and no context but its own.
func BenchmarkARequestAround(b *testing.B) {
	handle := func(w http.ResponseWriter, r *http.Request) {
		Limits{Timeout: time.Minute}.Begin(w, r)
		_ = r.Context().Err()
	}
	h := New(Options{Log: slog.New(slog.DiscardHandler)}, http.HandlerFunc(handle))
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, "/", http.NoBody)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(w, r)
	}
}

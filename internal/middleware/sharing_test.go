package middleware

import (
	"context"
	"errors"
	"testing"
	"time"
)

// sharers are servers with a limiter each, which hear each other while connected is true.
func sharers(n int, burst int, connected *bool) (all []*Sharing, limiters []*Limiter[string]) {
	for range n {
		s := NewSharing(func(_ context.Context, texts []string) error {
			if !*connected {
				return errors.New("there is no connection")
			}
			for _, other := range all {
				for _, text := range texts {
					other.Hear(text)
				}
			}
			return nil
		})
		l := NewLimiter[string]("key", 0.001, burst)
		l.now = func() time.Time { return time.Unix(0, 0) }
		Share(s, l, func(k string) string { return k }, func(k string) (string, bool) {
			return k, true
		})
		all, limiters = append(all, s), append(limiters, l)
	}
	return all, limiters
}

// let asks so often, and returns how often it was let through.
func let(l *Limiter[string], k string, times int) (n int) {
	for range times {
		if _, err := l.Take(k); err == nil {
			n++
		}
	}
	return n
}

func TestServersTakeFromABucketWhatOthersLetThrough(t *testing.T) {
	connected := true
	all, limiters := sharers(2, 20, &connected)
	let(limiters[0], "a", 8)
	let(limiters[1], "a", 2)
	let(limiters[1], "b", 20)
	for range 3 { // what was told once is not told again
		for _, s := range all {
			s.Tell(t.Context())
		}
	}
	if n := let(limiters[0], "a", 100); n != 10 {
		t.Errorf("%d more are let through, want 10", n)
	}
	if n := let(limiters[0], "b", 100); n != 0 {
		t.Errorf("%d are let through whom the other has let through", n)
	}
	all[0].Tell(t.Context())
	if n := let(limiters[1], "a", 100); n != 0 {
		t.Errorf("%d are let through by the other", n)
	}
}

func TestAServerThatHearsNobodyHasItsPartOfALimit(t *testing.T) {
	connected := true
	all, limiters := sharers(4, 20, &connected)
	for i, s := range all {
		let(limiters[i], "known", 1)
		s.Tell(t.Context())
	}
	connected = false
	let(limiters[0], "other", 1)
	all[0].Tell(t.Context())
	if n := let(limiters[0], "new", 100); n != 5 {
		t.Errorf("%d are let through by one of four, want 5", n)
	}
	if n := let(limiters[0], "known", 100); n > 5 {
		t.Errorf("%d are let through by one of four of whom it knew", n)
	}
	connected = true
	let(limiters[0], "last", 1)
	all[0].Tell(t.Context())
	if n := let(limiters[0], "later", 100); n != 20 {
		t.Errorf("%d are let through after that, want 20", n)
	}
}

package middleware

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

func TestALimiterHasABucketForEachAndTellsWhatIsLeft(t *testing.T) {
	now := time.Unix(0, 0)
	l := NewLimiter[string]("key", 0.5, 2)
	l.now = func() time.Time { return now }
	for i, c := range []struct {
		after        time.Duration
		who          string
		limit, retry string
	}{
		{0, "a", `"key";r=1;t=0`, ""},
		{0, "a", `"key";r=0;t=2`, ""},
		{0, "a", `"key";r=0;t=2`, "2"},
		{0, "b", `"key";r=1;t=0`, ""},
		{time.Second, "a", `"key";r=0;t=1`, "1"},
		{time.Second, "a", `"key";r=0;t=2`, ""},
		{time.Hour, "a", `"key";r=1;t=0`, ""},
	} {
		now = now.Add(c.after)
		h := http.Header{}
		left, err := l.Take(c.who)
		left.Show(h, err)
		if h.Get("RateLimit") != c.limit || h.Get("Retry-After") != c.retry ||
			h.Get("RateLimit-Policy") != `"key";q=2;w=4` {
			t.Errorf("%d: the headers are %v", i, h)
		}
		if _, refused := errors.AsType[*RateError](err); refused != (c.retry != "") {
			t.Errorf("%d: the error is %v", i, err)
		}
	}
}

func TestWhatIsOwedIsPaidBeforeTheNext(t *testing.T) {
	now := time.Unix(0, 0)
	l := NewLimiter[string]("key", 1, 2)
	l.now = func() time.Time { return now }
	check := func(what string, want bool) {
		t.Helper()
		if _, err := l.Check("a"); (err == nil) != want {
			t.Errorf("%s: %v", what, err)
		}
	}
	for range 9 {
		check("to look takes nothing", true)
	}
	for range 5 {
		l.Owe("a")
	}
	now = now.Add(3 * time.Second)
	check("three are owed, and three are paid", false)
	now = now.Add(time.Second)
	check("and one more", true)
	if _, err := l.Check("b"); err != nil {
		t.Errorf("another's: %v", err)
	}
}

func TestALimiterOfNothingLimitsNothing(t *testing.T) {
	l := NewLimiter[string]("key", 0, 0)
	for range 9 {
		h := http.Header{}
		left, err := l.Take("a")
		left.Show(h, err)
		if err != nil || len(h) > 0 {
			t.Errorf("%v, with the headers %v", err, h)
		}
	}
	l.Owe("a")
	if _, err := l.Check("a"); err != nil {
		t.Error(err)
	}
}

func BenchmarkALimiter(b *testing.B) {
	l := NewLimiter[int]("key", 1e9, 1e9)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := l.Take(i % 1000); err != nil {
			b.Fatal(err)
		}
	}
}

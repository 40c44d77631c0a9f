package api

import (
	"math"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxBuckets bounds the memory of one kind of limit, about 150 bytes a bucket. The one that was
// used least recently goes first, and comes back full.
const maxBuckets = 20_000

// Limits says how often may be called. Zero turns a limit off.
type Limits struct {
	PerKey   float64 // requests a second of one API key
	Burst    int     // how many of them at once
	Failures int     // failed authentications a minute of one client address
}

// A limiter has one token bucket for each K.
type limiter[K comparable] struct {
	policy  string // the value of RateLimit-Policy
	name    string
	rate    rate.Limit
	burst   int
	buckets *lru.Cache[K, *rate.Limiter]
	now     func() time.Time
}

// newLimiter returns a limiter, nil for a rate of zero. The name is for people who read headers.
func newLimiter[K comparable](
	name string,
	perSecond float64,
	burst int,
	now func() time.Time,
) *limiter[K] {
	if perSecond <= 0 {
		return nil
	}
	buckets, err := lru.New[K, *rate.Limiter](maxBuckets)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	window := max(1, int(math.Ceil(float64(burst)/perSecond)))
	return &limiter[K]{
		name: name, rate: rate.Limit(perSecond), burst: burst, buckets: buckets, now: now,
		policy: strconv.Quote(name) + ";q=" + strconv.Itoa(burst) + ";w=" + strconv.Itoa(window),
	}
}

// take takes a token from k's bucket and says in h what is left there, in the fields of
// draft-ietf-httpapi-ratelimit-headers-10. Without a token left it returns the answer for that,
// with Retry-After in seconds.
func (l *limiter[K]) take(k K, h http.Header) *problem {
	if l == nil {
		return nil
	}
	now := l.now()
	bucket, found := l.buckets.Get(k)
	if !found {
		bucket = rate.NewLimiter(l.rate, l.burst)
		if before, found, _ := l.buckets.PeekOrAdd(k, bucket); found {
			bucket = before
		}
	}
	allowed := bucket.AllowN(now, 1)
	left := bucket.TokensAt(now)
	wait := 0 // seconds until a token is there
	if left < 1 {
		wait = max(1, int(math.Ceil((1-left)/float64(l.rate))))
	}
	h["Ratelimit-Policy"] = []string{l.policy}
	h["Ratelimit"] = []string{
		strconv.Quote(
			l.name,
		) + ";r=" + strconv.Itoa(
			max(0, int(left)),
		) + ";t=" + strconv.Itoa(
			wait,
		),
	}
	if allowed {
		return nil
	}
	return &problem{
		status: http.StatusTooManyRequests,
		detail: "Too many requests: try again in " + strconv.Itoa(wait) + " s",
		header: http.Header{"Retry-After": {strconv.Itoa(wait)}},
	}
}

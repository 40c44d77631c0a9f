package middleware

import (
	"math"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// maxBuckets bounds the memory of one limiter, at about 150 bytes a bucket. The one that was used
// least recently goes first, and comes back full.
const maxBuckets = 20_000

// A RateError says that a client asked too often.
type RateError struct{ Seconds int } // until it may ask again

func (e *RateError) Error() string {
	return "Too many requests: try again in " + strconv.Itoa(e.Seconds) + " s"
}

// A Limiter has one token bucket for each K. A nil Limiter limits nothing.
type Limiter[K comparable] struct {
	name    string // quoted
	policy  string // the value of RateLimit-Policy
	rate    rate.Limit
	burst   int
	buckets *lru.Cache[K, *rate.Limiter]
	now     func() time.Time
}

// NewLimiter returns a limiter, nil for a rate of zero. The name is for people who read headers.
func NewLimiter[K comparable](name string, perSecond float64, burst int) *Limiter[K] {
	if perSecond <= 0 {
		return nil
	}
	buckets, err := lru.New[K, *rate.Limiter](maxBuckets)
	if err != nil {
		panic(err) // only for a size that is not positive
	}
	name = strconv.Quote(name)
	window := max(1, int(math.Ceil(float64(burst)/perSecond)))
	return &Limiter[K]{
		name: name, rate: rate.Limit(perSecond), burst: burst, buckets: buckets, now: time.Now,
		policy: name + ";q=" + strconv.Itoa(burst) + ";w=" + strconv.Itoa(window),
	}
}

// Take takes a token from k's bucket and says in h what is left there, in the fields of
// draft-ietf-httpapi-ratelimit-headers-10. If none is left, it sets Retry-After too and returns a
// [RateError].
func (l *Limiter[K]) Take(k K, h http.Header) error {
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
	wait := 0 // seconds until there is a token
	if left < 1 {
		wait = max(1, int(math.Ceil((1-left)/float64(l.rate))))
	}
	h["Ratelimit-Policy"] = []string{l.policy}
	h["Ratelimit"] = []string{
		l.name + ";r=" + strconv.Itoa(max(0, int(left))) + ";t=" + strconv.Itoa(wait),
	}
	if allowed {
		return nil
	}
	h["Retry-After"] = []string{strconv.Itoa(wait)}
	return &RateError{wait}
}

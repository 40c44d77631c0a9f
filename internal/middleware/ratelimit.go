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
	name    string   // quoted
	policy  []string // the value of RateLimit-Policy, of all answers
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
		policy: []string{name + ";q=" + strconv.Itoa(burst) + ";w=" + strconv.Itoa(window)},
	}
}

// Take takes a token from k's bucket, and returns what is left there. If none was left, the error
// is a [RateError].
func (l *Limiter[K]) Take(k K) (Left, error) {
	if l == nil {
		return Left{}, nil
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
	tokens := bucket.TokensAt(now)
	left := Left{name: l.name, policy: l.policy, requests: max(0, int(tokens))}
	if tokens < 1 {
		left.wait = max(1, int(math.Ceil((1-tokens)/float64(l.rate))))
	}
	if !allowed {
		return left, &RateError{left.wait}
	}
	return left, nil
}

// Left is what a client may still ask. The zero Left is that of a client without a limit.
type Left struct {
	name     string
	policy   []string
	requests int
	wait     int // seconds until there is a token
}

// Show says it in h, in the fields of draft-ietf-httpapi-ratelimit-headers-10, and how long to wait
// after a request that was refused.
func (left Left) Show(h http.Header, err error) {
	if left.policy == nil {
		return
	}
	h["Ratelimit-Policy"] = left.policy
	h["Ratelimit"] = []string{
		left.name + ";r=" + strconv.Itoa(left.requests) + ";t=" + strconv.Itoa(left.wait),
	}
	if err != nil {
		h["Retry-After"] = []string{strconv.Itoa(left.wait)}
	}
}

package middleware

import (
	"math"
	"net/http"
	"strconv"
	"sync"
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

	counted bool // for a [Sharing]

	mu    sync.Mutex
	parts int       // into which the limit is divided
	used  map[K]int // what was let through since it was last told
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
		parts:  1,
		policy: []string{name + ";q=" + strconv.Itoa(burst) + ";w=" + strconv.Itoa(window)},
	}
}

// Take takes a token from k's bucket, and returns what is left there. If none was left, the error
// is a [RateError].
func (l *Limiter[K]) Take(k K) (Left, error) {
	if l == nil {
		return Left{}, nil
	}
	now, bucket := l.now(), l.bucket(k)
	allowed := bucket.AllowN(now, 1)
	if allowed {
		l.noteUse(k)
	}
	left := l.left(bucket, now)
	if !allowed {
		return left, &RateError{left.wait}
	}
	return left, nil
}

// Check is Take without taking, for what counts only if it fails: then it takes by [Limiter.Owe].
func (l *Limiter[K]) Check(k K) (Left, error) {
	if l == nil {
		return Left{}, nil
	}
	left := l.left(l.bucket(k), l.now())
	if left.requests < 1 {
		return left, &RateError{left.wait}
	}
	return left, nil
}

// Owe takes a token from k's bucket. What it does not have, it owes: who asks many times at once
// waits for all of them.
func (l *Limiter[K]) Owe(k K) {
	if l != nil {
		l.takeFor(k, 1)
		l.noteUse(k)
	}
}

// left returns what a bucket has.
func (l *Limiter[K]) left(bucket *rate.Limiter, now time.Time) Left {
	tokens := bucket.TokensAt(now)
	left := Left{name: l.name, policy: l.policy, requests: max(0, int(tokens))}
	if tokens < 1 {
		left.wait = max(1, int(math.Ceil((1-tokens)/float64(l.rate))))
	}
	return left
}

func (l *Limiter[K]) bucket(k K) *rate.Limiter {
	bucket, found := l.buckets.Get(k)
	if found {
		return bucket
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket = rate.NewLimiter(l.part())
	if before, found, _ := l.buckets.PeekOrAdd(k, bucket); found {
		return before
	}
	return bucket
}

// part returns the part of the limit that this server has.
func (l *Limiter[K]) part() (rate.Limit, int) {
	return l.rate / rate.Limit(l.parts), max(1, l.burst/l.parts)
}

// divide gives this server one of some equal parts of the limit.
func (l *Limiter[K]) divide(parts int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.parts == parts {
		return
	}
	l.parts = parts
	limit, burst := l.part()
	now := l.now()
	for _, bucket := range l.buckets.Values() {
		bucket.SetLimitAt(now, limit)
		bucket.SetBurstAt(now, burst)
	}
}

// takeFor takes from a bucket what another server has let through. What it does not have, it owes.
func (l *Limiter[K]) takeFor(k K, n int) {
	now, bucket := l.now(), l.bucket(k)
	for n > 0 {
		some := min(n, bucket.Burst())
		bucket.ReserveN(now, some)
		n -= some
	}
}

func (l *Limiter[K]) noteUse(k K) {
	if !l.counted {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[k]++
}

// takeUsed returns how often each bucket was used since it was called last.
func (l *Limiter[K]) takeUsed() map[K]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	used := l.used
	l.used = map[K]int{}
	return used
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

package broker

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

// A quota is what a lease may use, and has used.
type quota struct {
	expires time.Time

	mu      sync.Mutex
	limits  vault.BrokerLimits
	stored  vault.BrokerUse // by all servers, as it was recorded when it was last read
	fresh   vault.BrokerUse // by this one, and not recorded yet
	running int
	started []time.Time // in the last minute

	connections int // through the proxy, which are open
}

// maxConnections is how many connections a lease may have open through the proxy. Each takes
// memory, though it carries no request: so the limits of requests do not bound them.
const maxConnections = 512

// isLimited reports whether anything is counted that must not be forgotten.
func (q *quota) isLimited() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.limits
	return l.PerMinute > 0 || l.Requests > 0 || l.Bytes > 0 || l.Tokens > 0
}

// begin counts a request, or refuses it.
func (q *quota) begin(limits vault.BrokerLimits, now time.Time) *refusal {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limits = limits
	if why := q.exhausted(now); why != nil {
		return why
	}
	if limits.Concurrent > 0 && q.running >= limits.Concurrent {
		return limited(time.Second, "%d requests at once", int64(limits.Concurrent))
	}
	if limits.PerMinute > 0 {
		n := 0
		for n < len(q.started) && now.Sub(q.started[n]) >= time.Minute {
			n++
		}
		q.started = q.started[n:]
		if len(q.started) >= limits.PerMinute {
			return limited(q.started[0].Add(time.Minute).Sub(now),
				"%d requests a minute", int64(limits.PerMinute))
		}
		q.started = append(q.started, now)
	}
	q.running++
	q.fresh.Requests++
	return nil
}

// connect counts a connection through the proxy, or refuses it.
func (q *quota) connect() *refusal {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.connections >= maxConnections {
		return limited(time.Second, "%d connections at once", maxConnections)
	}
	q.connections++
	return nil
}

// disconnect notes that a connection through the proxy is over.
func (q *quota) disconnect() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.connections--
}

// exhausted refuses what no waiting helps against: the lease has used up all of something.
func (q *quota) exhausted(now time.Time) *refusal {
	for _, total := range []struct {
		limit, used int64
		what        string
	}{
		{q.limits.Requests, q.stored.Requests + q.fresh.Requests, "%d requests"},
		{q.limits.Bytes, q.stored.Bytes + q.fresh.Bytes, "%d bytes"},
		{q.limits.Tokens, q.stored.Tokens + q.fresh.Tokens, "%d tokens"},
	} {
		if total.limit > 0 && total.used >= total.limit {
			why := limited(q.expires.Sub(now), total.what+" in all", total.limit)
			why.final = true
			return why
		}
	}
	return nil
}

func limited(after time.Duration, what string, n int64) *refusal {
	return &refusal{
		status: http.StatusTooManyRequests, rule: ruleLimit, after: max(after, time.Second),
		detail: fmt.Sprintf("The lease allows "+what, n),
	}
}

// end notes that a request that began is over.
func (q *quota) end(tokens int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	q.fresh.Tokens += tokens
}

// addBytes counts bytes, and reports whether the lease allows them.
func (q *quota) addBytes(n int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.fresh.Bytes += n
	return q.limits.Bytes == 0 || q.stored.Bytes+q.fresh.Bytes <= q.limits.Bytes
}

// settle notes that some of what this server counted was recorded, and what all of them had used
// then.
func (q *quota) settle(recorded, all vault.BrokerUse) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stored = all
	q.fresh.Requests -= recorded.Requests
	q.fresh.Bytes -= recorded.Bytes
	q.fresh.Tokens -= recorded.Tokens
}

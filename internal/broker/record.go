package broker

import (
	"context"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

const (
	// maxRecord is how many requests wait to be recorded. More are counted as lost: a database that
	// is away stops no request.
	maxRecord = 16 << 10
	// maxBatch is how many are recorded at once.
	maxBatch      = 1000
	recordTimeout = 5 * time.Second
	// maxRefused is how many refusals of one lease wait: they cost its program nothing, and must
	// not take the room of what others do.
	maxRefused = 250
	// endedInterval is how often a refusal of a lease that has ended is recorded. Whoever still has
	// its placeholder is refused as often as they like.
	endedInterval = time.Minute
)

// A record has the requests that wait to be recorded.
type record struct {
	mu      sync.Mutex
	waiting []vault.BrokeredRequest
	refused map[uuid.UUID]int       // how many of those that wait, by lease
	ended   map[uuid.UUID]time.Time // when one of a lease that has ended was recorded last
	lost    atomic.Uint64
}

func (r *record) add(one vault.BrokeredRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= maxRecord || one.Refused != "" && r.refused[one.Lease] >= maxRefused {
		r.lost.Add(1)
		return
	}
	r.waiting = append(r.waiting, one)
	r.count(one, 1)
}

// addEnded adds a request of a lease that has ended, if none was added a short while before.
func (r *record) addEnded(one vault.BrokeredRequest) {
	if r.isRecent(one.Lease, one.At) {
		return
	}
	r.add(one)
}

// isRecent reports whether one of this lease was added recently, and notes that it is now.
func (r *record) isRecent(lease uuid.UUID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, found := r.ended[lease]; found && now.Sub(last) < endedInterval {
		return true
	}
	if r.ended == nil {
		r.ended = map[uuid.UUID]time.Time{}
	}
	r.ended[lease] = now
	return false
}

// forget forgets what is of no use any more.
func (r *record) forget(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.DeleteFunc(r.ended, func(_ uuid.UUID, last time.Time) bool {
		return now.Sub(last) >= endedInterval
	})
}

// count counts a request that waits, or waits no more.
func (r *record) count(one vault.BrokeredRequest, n int) {
	if one.Refused == "" {
		return
	}
	if r.refused == nil {
		r.refused = map[uuid.UUID]int{}
	}
	if r.refused[one.Lease] += n; r.refused[one.Lease] <= 0 {
		delete(r.refused, one.Lease)
	}
}

// take returns the next batch.
func (r *record) take() []vault.BrokeredRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.waiting), maxBatch)
	batch := r.waiting[:n:n]
	r.waiting = r.waiting[n:]
	for _, one := range batch {
		r.count(one, -1)
	}
	return batch
}

// back puts a batch back that could not be recorded.
func (r *record) back(batch []vault.BrokeredRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	room := max(0, maxRecord-len(r.waiting))
	if len(batch) > room {
		r.lost.Add(uint64(len(batch[room:])))
		batch = batch[:room]
	}
	r.waiting = append(batch, r.waiting...)
	for _, one := range batch {
		r.count(one, 1)
	}
}

// keepRecord records what waits. What comes in the meantime waits for the next time: a transaction
// costs the same for one request as for many.
func (b *Broker) keepRecord(ctx context.Context) {
	b.record.forget(time.Now())
	for isFull := true; isFull; {
		batch := b.record.take()
		if len(batch) == 0 {
			return
		}
		isFull = len(batch) == maxBatch
		uses, err := b.grants.RecordBrokered(ctx, batch)
		if err != nil {
			b.record.back(batch)
			b.log.WarnContext(ctx, "requests of leases could not be recorded", "cause", err)
			return
		}
		b.settle(batch, uses)
	}
}

// settle brings what was recorded of leases, by all servers, to their limits here.
func (b *Broker) settle(batch []vault.BrokeredRequest, uses map[uuid.UUID]vault.BrokerUse) {
	recorded := map[uuid.UUID]vault.BrokerUse{}
	for _, r := range batch {
		recorded[r.Lease] = recorded[r.Lease].Plus(r.Use())
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for lease, all := range uses {
		if q := b.quotas[lease]; q != nil {
			q.settle(recorded[lease], all)
		}
	}
}

// isWord reports whether a part of a path is a word, or a version, and no identifier: a version is
// as v1, v1beta and v1beta2.
func isWord(part string) bool {
	const letters, digits = "abcdefghijklmnopqrstuvwxyz", "0123456789"
	name := strings.TrimLeft(part, letters)
	if name != part && len(part) <= 31 && strings.Trim(name, letters+"._-") == "" {
		return true
	}
	version, found := strings.CutPrefix(part, "v")
	number := strings.TrimLeft(version, digits)
	stage := strings.TrimLeft(number, letters)
	rest := strings.TrimLeft(stage, digits)
	count := len(version) - len(number)
	return found && count > 0 && count <= 3 && rest == "" &&
		(stage == "" || number != stage && len(stage) <= 2)
}

// maxSegments is how many parts of a path a template has.
const maxSegments = 8

// template returns a path with what may be an identifier left out.
func template(path string) string {
	var b strings.Builder
	for i, segment := range strings.Split(strings.Trim(path, "/"), "/") {
		switch {
		case i == maxSegments:
			return b.String() + "/…"
		case segment == "" || isWord(segment):
			b.WriteString("/" + segment)
		default:
			b.WriteString("/{}")
		}
	}
	return b.String()
}

package broker

import (
	"context"
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
)

// A record has the requests that wait to be recorded.
type record struct {
	mu      sync.Mutex
	waiting []vault.BrokeredRequest
	lost    atomic.Uint64
}

func (r *record) add(one vault.BrokeredRequest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) >= maxRecord {
		r.lost.Add(1)
		return
	}
	r.waiting = append(r.waiting, one)
}

// take returns the next batch.
func (r *record) take() []vault.BrokeredRequest {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := min(len(r.waiting), maxBatch)
	batch := r.waiting[:n:n]
	r.waiting = r.waiting[n:]
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
}

// keepRecord records what waits. What comes in the meantime waits for the next time: a transaction
// costs the same for one request as for many.
func (b *Broker) keepRecord(ctx context.Context) {
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

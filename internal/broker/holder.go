package broker

import (
	"context"
	"errors"
	"time"

	"github.com/keysake/keysake/internal/redact"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A holder is a placeholder that is in use.
type holder struct {
	placeholder plaintext.Value
	quota       *quota
	own         *redact.Masks // of the placeholders of its lease
	open        map[*flow]struct{}
	version     uint64
	masks       *redact.Masks // of that version
	used        time.Time
	unknown     time.Time // since when it cannot be known whether its lease lives; zero: it does
}

// maxUnknown is how long a stream goes on while it cannot be known whether its lease lives. New
// requests are refused in the meantime.
const maxUnknown = 10 * time.Second

var (
	errEnded   = errors.New("the lease has ended")
	errStopped = errors.New("the broker stops")
	errIdle    = errors.New("nothing was sent for too long")
	errBytes   = errors.New("the lease allows no more bytes")
)

// hold gives a flow what is kept about its placeholder and its lease.
func (b *Broker) hold(f *flow) {
	placeholder, g := f.placeholder, f.grant
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.holders[placeholder]
	if h == nil {
		q := b.quotas[g.Lease]
		if q == nil {
			q = &quota{stored: g.Used, expires: g.ExpiresAt}
			b.quotas[g.Lease] = q
		}
		h = &holder{
			placeholder: plaintext.FromString(placeholder), quota: q,
			own: masksOfLease(placeholder), open: map[*flow]struct{}{},
		}
		b.holders[placeholder] = h
	}
	if h.masks == nil || h.version != g.Version {
		h.version, h.masks = g.Version, redact.New([]redact.Secret{{
			Value: g.Value, Mask: placeholder,
		}})
	}
	h.used = time.Now()
	f.quota, f.masks, f.own = h.quota, h.masks, h.own
}

// enter notes that a request is under way, leave that it is not any more.
func (b *Broker) enter(placeholder string, f *flow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.holders[placeholder]; h != nil {
		h.open[f] = struct{}{}
	}
}

func (b *Broker) leave(placeholder string, f *flow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.holders[placeholder]; h != nil {
		delete(h.open, f)
		h.used = time.Now()
	}
}

// watch ends what is open of leases that ended, and streams in which nothing moves. It forgets what
// is not used.
func (b *Broker) watch(ctx context.Context) {
	now := time.Now()
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for placeholder, h := range b.inUse(now) {
		_, err := b.grants.Grant(ctx, h)
		switch {
		case err == nil:
			b.each(placeholder, func(h *holder) bool {
				h.unknown = time.Time{}
				return false
			}, nil)
		case vault.KindOf(err) == vault.Unauthenticated:
			b.each(placeholder, func(*holder) bool { return true }, errEnded)
		default:
			b.each(placeholder, func(h *holder) bool {
				if h.unknown.IsZero() {
					h.unknown = now
				}
				return now.Sub(h.unknown) > maxUnknown
			}, errEnded)
		}
	}
}

// inUse returns the placeholders with open requests. It ends those in which nothing moves.
func (b *Broker) inUse(now time.Time) map[string]plaintext.Value {
	b.mu.Lock()
	defer b.mu.Unlock()
	used, live := map[string]plaintext.Value{}, map[*quota]bool{}
	for placeholder, h := range b.holders {
		if len(h.open) == 0 && now.Sub(h.used) > keepHolder {
			delete(b.holders, placeholder)
			continue
		}
		live[h.quota] = true
		if len(h.open) > 0 {
			used[placeholder] = h.placeholder
		}
		for f := range h.open {
			if f.isIdle(now) {
				f.end(errIdle)
			}
		}
	}
	for lease, q := range b.quotas {
		// What was used of a limit is remembered as long as the lease lives.
		if !live[q] && (!q.isLimited() || now.After(q.expires)) {
			delete(b.quotas, lease)
		}
	}
	return used
}

// each ends the open requests of a placeholder if so decided.
func (b *Broker) each(placeholder string, decide func(*holder) bool, why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.holders[placeholder]
	if h == nil || !decide(h) {
		return
	}
	for f := range h.open {
		f.end(why)
	}
}

func (b *Broker) endAll(why error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.holders {
		for f := range h.open {
			f.end(why)
		}
	}
}

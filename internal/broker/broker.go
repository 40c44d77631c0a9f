// Package broker is the proxy that puts a key on a request, so that the program that sends it never
// holds the key.
//
// A program has a placeholder, which is worth nothing anywhere else. It sends its requests to the
// broker, with the placeholder where its provider takes the key. The broker asks the vault what the
// placeholder stands for, takes out every credential, attaches the key as the catalog says, and
// sends the request to a host that the catalog pins. All that the catalog does not list is refused.
package broker

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// Grants are what the broker asks of the vault.
type Grants interface {
	// Grant returns what a placeholder stands for now. Unauthenticated: there is no such lease, or
	// it has ended; then the grant still says which, where that is known.
	Grant(ctx context.Context, placeholder plaintext.Value) (vault.Grant, error)
	// RecordBrokered keeps what was sent and refused, and returns how much the leases of it were
	// used, at all servers.
	RecordBrokered(
		ctx context.Context, requests []vault.BrokeredRequest,
	) (map[uuid.UUID]vault.BrokerUse, error)
}

// Options are what [New] needs. Observe may be nil.
type Options struct {
	Grants  Grants
	Catalog *catalog.Catalog
	// Upstream sends the requests, and decides which addresses may be connected to.
	Upstream http.RoundTripper
	// Dial connects to hosts that have no secret, for leases that may. nil: none may.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	Log  *slog.Logger
	// Observe is told of every request: the provider, and the rule by which it was refused, or
	// "passed".
	Observe func(provider, outcome string)
}

// A Broker is the handler of all requests of the programs that have a lease. It must run, by
// [Broker.Run], for as long as it serves.
type Broker struct {
	grants    Grants
	catalog   *catalog.Catalog
	log       *slog.Logger
	observe   func(provider, outcome string)
	providers map[string]*provider
	proxy     *httputil.ReverseProxy
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	record    record

	mu      sync.Mutex
	holders map[string]*holder // by placeholder
	quotas  map[uuid.UUID]*quota
	// authorities are those of leases.
	authorities map[uuid.UUID]*authority

	echoed, unscrubbed atomic.Uint64
}

// New returns a broker.
func New(o Options) *Broker {
	b := &Broker{
		grants: o.Grants, catalog: o.Catalog, log: o.Log, observe: o.Observe,
		providers: map[string]*provider{},
		holders:   map[string]*holder{},
		quotas:    map[uuid.UUID]*quota{},
		dial:      o.Dial, authorities: map[uuid.UUID]*authority{},
	}
	if b.observe == nil {
		b.observe = func(string, string) {}
	}
	for _, p := range o.Catalog.Presets() {
		if e, found := o.Catalog.Entry(p.ID); found && len(e.Attach) > 0 {
			b.providers[e.ID] = newProvider(&e)
		}
	}
	b.proxy = b.newProxy(o.Upstream)
	return b
}

// Stats are what a broker counted.
type Stats struct {
	Open       int    // requests that are under way
	Echoed     uint64 // answers in which the provider repeated a key
	Unscrubbed uint64 // answers of text in which a key could not be looked for
	Lost       uint64 // requests that could not be recorded
}

// Stats returns what was counted.
func (b *Broker) Stats() Stats {
	s := Stats{
		Echoed: b.echoed.Load(), Unscrubbed: b.unscrubbed.Load(), Lost: b.record.lost.Load(),
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.holders {
		s.Open += len(h.open)
	}
	return s
}

// Drain waits until no request is under way, or ctx is done. It does not wait for connections that
// another protocol has: they end when their lease does, or the broker. One that only has requests
// inside is busy until the end of the last answer is written, which is after its handler.
func (b *Broker) Drain(ctx context.Context) {
	tick := time.NewTicker(watchInterval / 10)
	defer tick.Stop()
	for b.isBusy() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func (b *Broker) isBusy() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, h := range b.holders {
		for f := range h.open {
			if !f.isTaken() || f.busy.Load() {
				return true
			}
		}
	}
	return false
}

// The broker looks this often at what is open, and keeps what it knows of a lease that is not used.
const (
	watchInterval  = 250 * time.Millisecond
	recordInterval = time.Second
	keepHolder     = 10 * time.Minute
)

// Run ends the requests of leases that ended, and keeps the record, until ctx is done. Then it ends
// all requests and keeps the rest of the record.
func (b *Broker) Run(ctx context.Context) {
	watch, keep := time.NewTicker(watchInterval), time.NewTicker(recordInterval)
	defer watch.Stop()
	defer keep.Stop()
	kept := make(chan struct{}, 1) // at most one batch is under way
	kept <- struct{}{}
	for {
		select {
		case <-watch.C:
			b.watch(ctx)
		case <-keep.C:
			select {
			case <-kept:
				go func() {
					b.keepRecord(ctx)
					kept <- struct{}{}
				}()
			default:
			}
		case <-ctx.Done():
			b.endAll(errStopped)
			for end := time.Now().Add(time.Second); b.Stats().Open > 0 && time.Now().Before(end); {
				time.Sleep(watchInterval / 50) // what ends is recorded too
			}
			<-kept
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
			defer cancel()
			b.keepRecord(ctx)
			return
		}
	}
}

package server

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const (
	// probeSpacing is how often there is a turn, in which each provider is asked about one key,
	// whoever's it is.
	probeSpacing = 2 * time.Second
	// awayPause is how long a provider is left alone that did not answer, and awayRetry when the
	// same key is tried again. The pause is long beside how long a provider may take that hangs.
	awayPause = 10 * time.Minute
	awayRetry = time.Hour
	// askedPause is how long a key is left alone at least that was asked about, whatever the
	// database says of it.
	askedPause = 15 * time.Minute
	// After so many keys in a row that it knew, and says are invalid now, a provider is in doubt,
	// and left alone for doubtPause: it may say that of every key.
	maxTurned  = 3
	doubtPause = time.Hour
)

// A watcher asks providers whether keys still work, one at a time, on the schedules of users.
type watcher struct {
	vault *vault.Service

	turn   map[string]int          // by provider, of how many keys it is the turn or would be
	paused map[string]time.Time    // by provider, until when it is left alone
	turned map[string]int          // by provider, how many keys in a row turned invalid
	later  map[uuid.UUID]time.Time // by secret, if it is tried later than the schedule says

	chore
}

// A countedProber counts what providers say.
type countedProber struct {
	vault.Prober

	outcomes *prometheus.CounterVec
}

// probed returns a prober whose probes are counted: asked by a user, or on a schedule.
func (m *metrics) probed(p vault.Prober) vault.Prober {
	outcomes := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "keysake_probes_total",
		Help: "What providers said of keys, by provider and outcome: those of a probe, or away.",
	}, []string{"provider", "outcome"})
	m.registry.MustRegister(outcomes)
	return countedProber{p, outcomes}
}

// Probe implements [vault.Prober].
func (p countedProber) Probe(
	ctx context.Context, provider string, key plaintext.Value,
) (catalog.Finding, error) {
	found, err := p.Prober.Probe(ctx, provider, key)
	outcome := string(found.Outcome)
	if err != nil {
		outcome = "away"
	}
	p.outcomes.WithLabelValues(provider, outcome).Inc()
	return found, err
}

func (s *server) newWatcher() *watcher {
	return &watcher{
		vault: s.instance.Vault, chore: s.newChore("probes"),
		turn: map[string]int{}, paused: map[string]time.Time{}, turned: map[string]int{},
		later: map[uuid.UUID]time.Time{},
	}
}

// start begins to watch, until stop. A server that cannot write watches nothing.
func (w *watcher) start(ctx context.Context) { w.begin(ctx, probeSpacing, w.pass) }

// pass probes what is due, of each provider one key. It waits for an answer, but for no turn.
func (w *watcher) pass(ctx context.Context) error {
	users, err := w.vault.UsersToProbe(ctx)
	if err != nil || len(users) == 0 {
		return err
	}
	return w.alone(ctx, func() error {
		users, err := w.vault.UsersToProbe(ctx) // another server may have been at it
		if err != nil {
			return err
		}
		clear(w.turn)
		now := time.Now()
		maps.DeleteFunc(w.later, func(_ uuid.UUID, at time.Time) bool { return !at.After(now) })
		var failed []error
		for _, user := range users {
			if err := w.user(ctx, user); err != nil {
				failed = append(failed, err)
			}
			if ctx.Err() != nil {
				break
			}
		}
		return errors.Join(failed...)
	})
}

// user probes what is due of one user, and notes when the next is.
func (w *watcher) user(ctx context.Context, user uuid.UUID) error {
	probes, err := w.vault.ScheduledProbes(ctx, user)
	var failed error
	for _, p := range probes {
		if ctx.Err() == nil && !w.dueAt(p).After(time.Now()) && w.takesTurn(p) {
			failed = errors.Join(failed, w.probe(ctx, user, p))
		}
	}
	if err == nil {
		probes, err = w.vault.ScheduledProbes(ctx, user)
	}
	failed = errors.Join(failed, err)
	if ctx.Err() != nil {
		return failed
	}
	now := time.Now()
	next := now.Add(vault.LookAgain)
	if err == nil {
		for _, p := range probes {
			if due := w.dueAt(p); due.Before(next) {
				next = due
			}
		}
	}
	if next.Before(now) {
		next = now // also for the zero time, which would be never
	}
	return errors.Join(failed, w.vault.SetProbeDue(ctx, user, next))
}

// dueAt is when a probe is due, which may be later than the schedule says.
func (w *watcher) dueAt(p vault.ScheduledProbe) time.Time {
	due := p.Due
	for _, later := range []time.Time{w.later[p.Secret], w.paused[p.Provider]} {
		if later.After(due) {
			due = later
		}
	}
	return due
}

// takesTurn reports whether a key is the one of its provider that is asked about now. Others wait
// for the next turns, one after the other.
func (w *watcher) takesTurn(p vault.ScheduledProbe) bool {
	before := w.turn[p.Provider]
	w.turn[p.Provider]++
	if before > 0 {
		w.later[p.Secret] = time.Now().Add(time.Duration(before) * probeSpacing)
	}
	return before == 0
}

// probe asks about one key. The error is that of the server itself, which may be about this key
// alone.
func (w *watcher) probe(ctx context.Context, user uuid.UUID, p vault.ScheduledProbe) error {
	outcome, err := w.vault.ProbeScheduled(ctx, user, p.Secret)
	now := time.Now()
	w.later[p.Secret] = now.Add(awayRetry)
	switch kind := vault.KindOf(err); {
	case err == nil:
		w.later[p.Secret] = now.Add(askedPause)
		w.doubt(ctx, p, outcome)
	case kind == vault.BadGateway || kind == vault.GatewayTimeout:
		w.paused[p.Provider] = now.Add(awayPause)
	case errors.Is(err, vault.ErrNoCheck) || kind == vault.NotFound: // it may have one, or be gone
	default:
		return err
	}
	return nil
}

// doubt pauses a provider that says of one key after the other that it is invalid now.
func (w *watcher) doubt(ctx context.Context, p vault.ScheduledProbe, outcome catalog.Outcome) {
	if outcome.IsValid() {
		delete(w.turned, p.Provider)
	}
	if outcome != catalog.OutcomeInvalid || !p.WasValid {
		return // nothing has turned
	}
	w.turned[p.Provider]++
	if w.turned[p.Provider] < maxTurned {
		return
	}
	w.paused[p.Provider] = time.Now().Add(doubtPause)
	w.log.WarnContext(ctx, "a provider says of one key after the other that it is invalid now: "+
		"it is left alone for a while", "provider", p.Provider, "keys", w.turned[p.Provider],
		"next_in", doubtPause)
}

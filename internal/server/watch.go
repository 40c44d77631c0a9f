package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const (
	// probeSpacing is how long a provider is left alone after a probe on a schedule, whoever's key
	// it was about.
	probeSpacing = 2 * time.Second
	// awayPause is how long a provider is left alone that did not answer, and awayRetry when the
	// same key is tried again.
	awayPause = time.Minute
	awayRetry = time.Hour
)

// A watcher asks providers whether keys still work, one at a time, on the schedules of users.
type watcher struct {
	vault *vault.Service
	log   *slog.Logger
	lock  locker

	next    map[string]time.Time    // by provider, when it may be asked again
	later   map[uuid.UUID]time.Time // by secret, if it is tried later than the schedule says
	warning throttle

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

// A probeLocker is a database that servers share.
type probeLocker interface {
	TryLockProbes(ctx context.Context) (unlock func() error, locked bool, err error)
}

func (s *server) newWatcher() *watcher {
	w := &watcher{
		vault: s.instance.Vault, log: s.log,
		next: map[string]time.Time{}, later: map[uuid.UUID]time.Time{}, lock: unshared,
	}
	if shared, ok := s.instance.Store.(probeLocker); ok {
		w.lock = shared.TryLockProbes
	}
	return w
}

// start begins to watch, until stop. A server that cannot write watches nothing.
func (w *watcher) start(ctx context.Context) {
	w.chore.start(ctx, func(ctx context.Context) {
		if err := w.pass(ctx); err != nil && ctx.Err() == nil && w.warning.pass() {
			w.log.WarnContext(ctx, "keys could not be probed on schedule", "cause", err)
		}
	})
}

// pass probes what is due.
func (w *watcher) pass(ctx context.Context) error {
	users, err := w.vault.UsersToProbe(ctx)
	if err != nil || len(users) == 0 {
		return err
	}
	unlock, locked, err := w.lock(ctx)
	if err != nil || !locked {
		return err
	}
	var failed []error
	for _, user := range users {
		if err := w.user(ctx, user); err != nil {
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(errors.Join(failed...), unlock())
}

// user probes what is due of one user, and notes when the next is.
func (w *watcher) user(ctx context.Context, user uuid.UUID) error {
	probes, err := w.vault.ScheduledProbes(ctx, user)
	for _, p := range probes {
		if err == nil && !w.dueAt(p).After(time.Now()) {
			err = w.probe(ctx, user, p)
		}
	}
	if err == nil {
		probes, err = w.vault.ScheduledProbes(ctx, user)
	}
	if err != nil && ctx.Err() != nil {
		return err
	}
	next := time.Now().Add(awayRetry)
	if err == nil {
		for i, p := range probes {
			if due := w.dueAt(p); i == 0 || due.Before(next) {
				next = due
			}
		}
	}
	return errors.Join(err, w.vault.SetProbeDue(ctx, user, next))
}

// dueAt is when a probe is due, which may be later than the schedule says.
func (w *watcher) dueAt(p vault.ScheduledProbe) time.Time {
	if later := w.later[p.Secret]; later.After(p.Due) {
		return later
	}
	return p.Due
}

// probe asks about one key when its provider may be asked. The error is that of the server itself.
func (w *watcher) probe(ctx context.Context, user uuid.UUID, p vault.ScheduledProbe) error {
	select {
	case <-time.After(time.Until(w.next[p.Provider])):
	case <-ctx.Done():
		return ctx.Err()
	}
	err := w.vault.ProbeScheduled(ctx, user, p.Secret)
	now := time.Now()
	w.next[p.Provider] = now.Add(probeSpacing)
	delete(w.later, p.Secret)
	switch kind := vault.KindOf(err); {
	case errors.Is(err, vault.ErrNoCheck):
		w.later[p.Secret] = now.Add(24 * awayRetry)
	case kind == vault.BadGateway || kind == vault.GatewayTimeout:
		w.next[p.Provider] = now.Add(awayPause)
		w.later[p.Secret] = now.Add(awayRetry)
	case kind == vault.NotFound: // it is gone
	case err != nil:
		return err
	}
	return nil
}

package server

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A saying answers probes as a test says.
type saying struct {
	mu      sync.Mutex
	outcome catalog.Outcome
	hangs   bool
	asked   []time.Time
	started chan struct{}
}

func (s *saying) CanProbe(provider string, _ plaintext.Value) bool { return provider == "openai" }

func (s *saying) Probe(
	ctx context.Context, _ string, _ plaintext.Value,
) (catalog.Finding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, time.Now())
	if s.hangs {
		close(s.started)
		<-ctx.Done()
		return catalog.Finding{}, ctx.Err()
	}
	return catalog.Finding{Outcome: s.outcome, Facts: map[string]string{}}, nil
}

// watching returns a server whose user has two keys of one provider, and wants them probed.
func watching(t *testing.T, says *saying) *server {
	t.Helper()
	s := opened(t)
	s.instance.Vault.AskBy(says)
	for _, name := range []string{"ONE", "TWO"} {
		s.api(t, http.MethodPost, "/user/secrets", map[string]string{
			"name": name, "provider": "openai", "value": "any-value-of-22-letters",
		}, new(wire.Secret))
	}
	s.api(t, http.MethodPut, "/user/watch", map[string]int{"probe_every": 3600}, new(wire.Watch))
	return s
}

func TestAServerProbesWhatIsDueOnceAndNeverTwoKeysOfOneProviderAtOnce(t *testing.T) {
	t.Parallel()
	says := &saying{outcome: catalog.OutcomeInvalid}
	s := watching(t, says)
	w := s.newWatcher()
	for range 3 {
		if err := w.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(says.asked) != 2 || says.asked[1].Sub(says.asked[0]) < probeSpacing {
		t.Errorf("asked at %v", says.asked)
	}
	var known wire.SecretHealthList
	s.api(t, http.MethodGet, "/user/secrets/health", nil, &known)
	for _, h := range known.Health {
		if len(h.Warnings) != 1 || h.Warnings[0] != wire.WarnInvalid || h.CheckedAt == nil {
			t.Errorf("it knows %+v", h)
		}
	}
	if len(known.Health) != 2 {
		t.Errorf("it knows of %d secrets", len(known.Health))
	}
}

func TestOfServersThatShareADatabaseOneProbes(t *testing.T) {
	t.Parallel()
	says := &saying{outcome: catalog.OutcomeValid}
	w := watching(t, says).newWatcher()
	w.lock = func(context.Context) (func() error, bool, error) { return nil, false, nil }
	if err := w.pass(t.Context()); err != nil || len(says.asked) != 0 {
		t.Errorf("without the lock %d were asked: %v", len(says.asked), err)
	}
}

func TestAProbeOnAScheduleDoesNotHoldUpAStop(t *testing.T) {
	t.Parallel()
	says := &saying{hangs: true, started: make(chan struct{})}
	w := watching(t, says).newWatcher()
	w.start(t.Context())
	<-says.started
	w.stop()
	if len(says.asked) != 1 {
		t.Errorf("%d were asked", len(says.asked))
	}
}

package server

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// A saying answers probes as a test says.
type saying struct {
	mu      sync.Mutex
	outcome catalog.Outcome
	away    string // a provider
	hangs   bool
	asked   []string // providers
	started chan struct{}
}

func (s *saying) CanProbe(string, plaintext.Value) bool { return true }

func (s *saying) Probe(
	ctx context.Context, provider string, _ plaintext.Value,
) (catalog.Finding, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, provider)
	if provider == s.away {
		return catalog.Finding{}, errors.New("no such host")
	}
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

func (w *watcher) passes(t *testing.T) {
	t.Helper()
	if err := w.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAServerProbesWhatIsDueOnceAndOneKeyOfAProviderInATurn(t *testing.T) {
	t.Parallel()
	says := &saying{outcome: catalog.OutcomeInvalid}
	s := watching(t, says)
	w := s.newWatcher()
	w.passes(t)
	w.passes(t)
	if len(says.asked) != 1 {
		t.Errorf("in the first turn %d were asked", len(says.asked))
	}
	for len(says.asked) < 2 {
		time.Sleep(50 * time.Millisecond)
		w.passes(t)
	}
	w.passes(t)
	if len(says.asked) != 2 {
		t.Errorf("%d were asked", len(says.asked))
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

func TestAProviderThatIsAwayHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	says := &saying{outcome: catalog.OutcomeValid, away: "openai"}
	s := watching(t, says)
	s.api(t, http.MethodPost, "/user/secrets", map[string]string{
		"name": "ZOO", "provider": "anthropic", "value": "any-value-of-22-letters",
	}, new(wire.Secret))
	s.newWatcher().passes(t)
	if diff := cmp.Diff([]string{"openai", "anthropic"}, says.asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestAKeyThatDoesNotOpenKeepsNoOtherFromBeingProbed(t *testing.T) {
	t.Parallel()
	says := &saying{outcome: catalog.OutcomeValid}
	s := watching(t, says)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.cfg.Data, "keysake.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), `UPDATE secrets
		SET sealed_value = zeroblob(length(sealed_value)) WHERE name = 'ONE'`); err != nil {
		t.Fatal(err)
	}
	w := s.newWatcher()
	if err := w.pass(t.Context()); err == nil || len(says.asked) != 0 {
		t.Fatalf("the first one was probed, or it is not said that it was not: %v", err)
	}
	for len(says.asked) == 0 && t.Context().Err() == nil {
		time.Sleep(50 * time.Millisecond)
		w.passes(t)
	}
}

// A provider can have a bad hour in which it says of every key that it is invalid.
func TestAProviderThatSaysOfOneKeyAfterTheOtherThatItIsInvalidIsLeftAlone(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		was  func(n int) bool
		said func(n int) catalog.Outcome
		over int // after so many keys, a pause is
		want int
	}{
		"keys that it knew": {
			was:  func(int) bool { return true },
			said: func(int) catalog.Outcome { return catalog.OutcomeInvalid },
			want: maxTurned,
		},
		"keys that it never knew": {
			was:  func(int) bool { return false },
			said: func(int) catalog.Outcome { return catalog.OutcomeInvalid },
			want: 9,
		},
		"keys that it never knew, after a pause": {
			was:  func(n int) bool { return n < maxTurned },
			said: func(int) catalog.Outcome { return catalog.OutcomeInvalid },
			over: maxTurned,
			want: 9,
		},
		"one more, after a pause": {
			was:  func(int) bool { return true },
			said: func(int) catalog.Outcome { return catalog.OutcomeInvalid },
			over: maxTurned,
			want: maxTurned + 1,
		},
		"keys among others that it knows": {
			was: func(int) bool { return true },
			said: func(n int) catalog.Outcome {
				if n%3 == 2 {
					return catalog.OutcomeValidLimited
				}
				return catalog.OutcomeInvalid
			},
			want: 9,
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			says := &saying{}
			s := opened(t)
			s.instance.Vault.AskBy(says)
			w := s.newWatcher()
			var secret wire.Secret
			s.api(t, http.MethodPost, "/user/secrets", map[string]string{
				"name": "ONE", "provider": "openai", "value": "any-value-of-22-letters",
			}, &secret)
			var me wire.User
			s.api(t, http.MethodGet, "/user", nil, &me)
			for n := range 9 {
				says.outcome = c.said(n)
				p := vault.ScheduledProbe{
					Secret: uuid.MustParse(secret.ID), Provider: "openai", WasValid: c.was(n),
				}
				if c.over == n {
					clear(w.paused)
				}
				if w.paused[p.Provider].After(time.Now()) {
					break
				}
				if err := w.probe(t.Context(), uuid.MustParse(me.ID), p); err != nil {
					t.Fatal(err)
				}
			}
			if len(says.asked) != c.want {
				t.Errorf("%d were asked, want %d", len(says.asked), c.want)
			}
		})
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

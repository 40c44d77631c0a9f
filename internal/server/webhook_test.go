package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/wire"
)

// A receiver keeps what the webhook is told, and answers as a test says.
type receiver struct {
	mu     sync.Mutex
	status int
	ids    []string
	bodies []string
	url    string
}

func (r *receiver) answer(status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.status = status
}

// got returns the ids of what it was sent.
func (r *receiver) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ids
}

func newReceiver(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{status: http.StatusOK}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ids = append(r.ids, req.Header.Get("webhook-id"))
		r.bodies = append(r.bodies, string(body))
		w.WriteHeader(r.status)
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

// withWebhook sets a webhook, with a key of its own.
func withWebhook(t *testing.T, url string) func(*config.Config) {
	t.Helper()
	file, key := filepath.Join(t.TempDir(), "webhook-key"), make([]byte, 32)
	_, _ = rand.Read(key)
	text := "whsec_" + base64.StdEncoding.EncodeToString(key)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *config.Config) { c.WebhookURL, c.WebhookKeyFile = url, file }
}

// notifying returns a server with a webhook, and what turns a key of its user invalid, each time.
func notifying(t *testing.T, url string) (s *server, turnInvalid func()) {
	t.Helper()
	s = opened(t, withWebhook(t, url))
	says := &saying{}
	s.instance.Vault.AskBy(says)
	var secret wire.Secret
	s.api(t, http.MethodPost, "/user/secrets", map[string]string{
		"name": "KEY", "provider": "openai", "value": "any-value-of-22-letters",
	}, &secret)
	return s, func() {
		t.Helper()
		for _, says.outcome = range []catalog.Outcome{
			catalog.OutcomeValid, catalog.OutcomeInvalid,
		} {
			s.api(t, http.MethodPost, "/user/secrets/"+secret.ID+"/probe", nil,
				new(wire.SecretHealth))
		}
	}
}

func (s *server) passes(t *testing.T) {
	t.Helper()
	if err := s.notifier.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestAnEventIsSentAgainUntilItIsTakenWithTheSameID(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s, turnInvalid := notifying(t, r.url)
	turnInvalid()
	r.answer(http.StatusInternalServerError)
	s.passes(t)
	first := r.got()
	if len(first) != 1 || s.notifier.failed.Load() != 1 {
		t.Fatalf("sent %v, %d failed", first, s.notifier.failed.Load())
	}
	r.answer(http.StatusOK)
	for s.notifier.sent.Load() == 0 { // the first pause is some seconds
		time.Sleep(50 * time.Millisecond)
		s.passes(t)
	}
	if diff := cmp.Diff([]string{first[0], first[0]}, r.got()); diff != "" {
		t.Error(diff)
	}
	if r.bodies[0] != r.bodies[1] || !strings.Contains(r.bodies[0], `"secret.invalid"`) {
		t.Errorf("told %q", r.bodies)
	}
	s.passes(t)
	if n, err := s.instance.Vault.WaitingEvents(t.Context()); n != 0 || len(r.got()) != 2 ||
		err != nil {
		t.Errorf("%d wait, %d were sent: %v", n, len(r.got()), err)
	}
}

func TestAPassEndsWithTheFirstEventThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s, turnInvalid := notifying(t, r.url)
	turnInvalid()
	turnInvalid()
	r.answer(http.StatusBadGateway)
	s.passes(t)
	if n := len(r.got()); n != 1 {
		t.Errorf("%d were sent to a receiver that fails", n)
	}
	r.answer(http.StatusOK)
	s.passes(t)
	if n := s.notifier.sent.Load(); n != 1 {
		t.Errorf("%d arrived", n)
	}
}

func TestAReceiverThatIsGoneIsToldNothingMore(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s, turnInvalid := notifying(t, r.url)
	turnInvalid()
	turnInvalid()
	r.answer(http.StatusGone)
	s.passes(t)
	r.answer(http.StatusOK)
	s.passes(t)
	if len(r.got()) != 1 || s.instance.Vault.DroppedEvents() != 1 {
		t.Errorf("sent %v, %d dropped", r.got(), s.instance.Vault.DroppedEvents())
	}
	restarted := s.newNotifier(must(webhookKeys(s.cfg)), newGuard(s.cfg, s.room), newMetrics(
		s.instance.Store.Stats, new(countingWriter).lost.Load))
	if err := restarted.pass(t.Context()); err != nil || len(r.got()) != 2 {
		t.Errorf("after a restart: sent %v, %v", r.got(), err)
	}
}

func TestNothingOfAValueReachesTheWebhookOrTheLogAndTheMetricsCountEvents(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s, turnInvalid := notifying(t, r.url)
	var logs bytes.Buffer
	s.notifier.log = slog.New(slog.NewTextHandler(&logs, nil))
	turnInvalid()
	turnInvalid()
	turnInvalid()
	s.passes(t)
	r.answer(http.StatusInternalServerError)
	turnInvalid()
	s.passes(t)
	if len(r.bodies) != 4 || !strings.Contains(logs.String(), "answered 500") {
		t.Fatalf("told %q; the log: %s", r.bodies, &logs)
	}
	for _, text := range append(r.bodies, logs.String()) {
		for _, part := range []string{"any-value", "22-letters", "\u2022"} {
			if strings.Contains(text, part) {
				t.Errorf("%q is in %q", part, text)
			}
		}
	}
	w := httptest.NewRecorder()
	s.admin.Handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	for _, line := range []string{
		"sent_total 3", "failed_total 1", "dropped_total 0", "waiting 1",
	} {
		if !strings.Contains(w.Body.String(), "\nkeysake_webhook_"+line+"\n") {
			t.Errorf("the metrics have no %s", line)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestAnAddressOfThisNetworkIsToldNothingUnlessTheOperatorAllowsIt(t *testing.T) {
	t.Parallel()
	var logs bytes.Buffer
	dialled := false
	tls := httptest.NewTLSServer(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { dialled = true }))
	defer tls.Close()
	s, turnInvalid := notifying(t, tls.URL+"/token-in-the-path")
	s.notifier.log = slog.New(slog.NewTextHandler(&logs, nil))
	turnInvalid()
	s.passes(t)
	if dialled || !strings.Contains(logs.String(), "not a public address") ||
		strings.Contains(logs.String(), "token") {
		t.Errorf("it is told %v; the log: %s", dialled, &logs)
	}
}

// net/http quotes what it cannot read.
func TestWhatAReceiverAnswersIsNotInTheLog(t *testing.T) {
	t.Parallel()
	odd := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // or the connection is reset
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_, _ = io.WriteString(conn, "canary-of-the-answer\r\n\r\n")
		_ = conn.Close()
	}))
	defer odd.Close()
	var logs bytes.Buffer
	s, turnInvalid := notifying(t, odd.URL)
	s.notifier.log = slog.New(slog.NewTextHandler(&logs, nil))
	turnInvalid()
	s.passes(t)
	if !strings.Contains(logs.String(), "did not take an event") ||
		strings.Contains(logs.String(), "canary") {
		t.Errorf("the log: %s", &logs)
	}
}

func TestAStopDoesNotWaitForAReceiverThatHangs(t *testing.T) {
	t.Parallel()
	asked, ended := make(chan struct{}), make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(
		func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.ReadAll(r.Body) // or the end of the connection is not noticed
			close(asked)
			<-r.Context().Done()
			close(ended)
		}))
	defer hangs.Close()
	s, turnInvalid := notifying(t, hangs.URL)
	turnInvalid()
	s.notifier.start(t.Context())
	<-asked
	s.notifier.stop()
	<-ended
	due, err := s.instance.Vault.EventsDue(t.Context())
	if err != nil || len(due) != 1 || due[0].Attempts != 0 || s.notifier.failed.Load() != 0 {
		t.Errorf("it waits as %+v: %v", due, err)
	}
}

func TestOfServersThatShareADatabaseOneTellsTheWebhook(t *testing.T) {
	t.Parallel()
	r := newReceiver(t)
	s, turnInvalid := notifying(t, r.url)
	turnInvalid()
	s.notifier.lock = func(context.Context) (func() error, bool, error) { return nil, false, nil }
	s.passes(t)
	if len(r.got()) != 0 {
		t.Errorf("without the lock it sent %v", r.got())
	}
}

func TestAServerWhoseWebhookHasNoGoodKeyDoesNotStart(t *testing.T) {
	t.Parallel()
	var cfg config.Config
	withWebhook(t, "https://hook.example.org")(&cfg)
	if err := os.Chmod(cfg.WebhookKeyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := newOutside(cfg)
	if err == nil || !strings.HasPrefix(err.Error(), "--webhook-key-file: ") {
		t.Error(err)
	}
}

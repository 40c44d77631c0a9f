package server_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

func create(t *testing.T, c *client.Client, name string) error {
	t.Helper()
	_, err := c.CreateSecret(
		t.Context(),
		wire.CreateSecret{Name: name, Value: plaintext.FromString("correct-horse-battery-staple")},
	)
	return err
}

// fails checks that an error is a refusal with this status, in the contract's envelope.
func fails(t *testing.T, err error, status int, kind string) {
	t.Helper()
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || refused.Status != status || refused.Type != kind {
		t.Errorf("want %d %s, got %v", status, kind, err)
	}
}

func ready(t *testing.T, srv *apptest.Server) int {
	t.Helper()
	res, err := http.Get(srv.URL + "/readyz")
	apptest.Must(t, err)
	apptest.Must(t, res.Body.Close())
	return res.StatusCode
}

func TestACreateCostsNoCallOfTheKeyService(t *testing.T) {
	srv, transit, _ := apptest.StartOnTransit(t)
	c := srv.ClientWith(t, srv.NewUser(t, "mia"))
	before := transit.Calls.Load()
	for _, name := range []string{"A", "B", "C"} {
		apptest.Must(t, create(t, c, name))
	}
	if n := transit.Calls.Load() - before; n != 0 {
		t.Errorf("it was asked %d times", n)
	}
}

func TestAKeyServiceThatIsAwayIsNotNoticedByWhoseKeyIsOpen(t *testing.T) {
	srv, transit, _ := apptest.StartOnTransit(t)
	c := srv.Client(t)
	apptest.Must(t, create(t, c, "BEFORE"))
	transit.Answer(apptest.Silence)
	if err := create(t, c, "DURING"); err != nil {
		t.Error(err)
	}
	if list, err := c.ListSecrets(t.Context()); err != nil || list.Total != 2 {
		t.Errorf("%v, %v", list, err)
	}
}

func TestReadinessIsWhatIsKnownAndAsksNobody(t *testing.T) {
	transit := apptest.NewTransit(t)
	cfg := apptest.Config(t)
	cfg.RootKeys = []string{apptest.TransitURL}
	srv := apptest.StartWith(t, cfg)
	probe := func(want int) {
		t.Helper()
		before := transit.Calls.Load()
		for range 3 {
			if code := ready(t, srv); code != want {
				t.Errorf("ready: %d, want %d", code, want)
			}
		}
		if n := transit.Calls.Load() - before; n != 0 {
			t.Errorf("the key service was asked %d times", n)
		}
	}
	c := srv.Client(t)
	probe(http.StatusOK)
	transit.Answer(apptest.TransitError(http.StatusForbidden, "permission denied"))
	probe(http.StatusOK) // it was not used since
	_, err := c.CreateUser(t.Context(), wire.CreateUser{Username: "max"})
	fails(t, err, 502, "bad_gateway_error")
	probe(http.StatusServiceUnavailable)
	transit.Answer(nil)
	probe(http.StatusServiceUnavailable)
	_, err = c.CreateUser(t.Context(), wire.CreateUser{Username: "max"})
	apptest.Must(t, err)
	probe(http.StatusOK)
}

func TestWhatNeedsAKeyServiceThatFailsIs502Or504AndLeavesNothing(t *testing.T) {
	srv, transit, cfg := apptest.StartOnTransit(t)
	mia := srv.NewUser(t, "mia")
	apptest.Must(t, create(t, srv.ClientWith(t, mia), "KEPT"))
	srv.Stop(t)
	cfg.Dev, cfg.Keys = false, cfg.DevKeysFile()
	srv = apptest.StartWith(t, cfg) // which has no owner key open
	admin, c := srv.Client(t), srv.ClientWith(t, mia)
	for _, way := range []struct {
		name   string
		answer http.HandlerFunc
		status int
		kind   string
	}{
		{"an error", apptest.TransitError(
			http.StatusInternalServerError, "broken",
		), 502, "bad_gateway_error"},
		{"a refusal", apptest.TransitError(
			http.StatusForbidden, "permission denied",
		), 502, "bad_gateway_error"},
		{"no JSON", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<html>"))
		}, 502, "bad_gateway_error"},
		{"nonsense", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"data":{"plaintext":"AAAA","ciphertext":"vault:v1:AAAA"}}`))
		}, 502, "bad_gateway_error"},
		{"silence", apptest.Silence, 504, "gateway_timeout_error"},
	} {
		transit.Answer(way.answer)
		_, err := c.ListSecrets(t.Context())
		fails(t, err, way.status, way.kind)
		fails(t, create(t, c, "NEW"), way.status, way.kind)
		_, err = admin.CreateUser(t.Context(), wire.CreateUser{Username: "max"})
		fails(t, err, way.status, way.kind)
	}
	transit.Answer(nil)
	users, err := admin.ListUsers(t.Context())
	if err != nil || users.Total != 2 {
		t.Errorf("%v, %v", users, err)
	}
	if _, err := admin.CreateUser(t.Context(), wire.CreateUser{Username: "max"}); err != nil {
		t.Error(err)
	}
	if list, err := c.ListSecrets(t.Context()); err != nil || list.Total != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if strings.Contains(srv.Logs.String(), "token-of-nobody") {
		t.Error("the log has the service's token")
	}
}

func TestASlowKeyServiceHoldsUpNobodyElse(t *testing.T) {
	srv, transit, cfg := apptest.StartOnTransit(t)
	mia := srv.NewUser(t, "mia")
	srv.Stop(t)
	cfg.Dev, cfg.Keys, cfg.KeyServiceTimeout = false, cfg.DevKeysFile(), 8*time.Second
	srv = apptest.StartWith(t, cfg)
	apptest.Must(t, create(t, srv.Client(t), "OPEN"))
	asked := make(chan struct{}, 64)
	release := make(chan struct{})
	transit.Answer(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		<-release
		transit.Well(w, r)
	})
	done := make(chan error, 8)
	for i := range cap(done) {
		go func() { done <- create(t, srv.ClientWith(t, mia), "S"+string(rune('A'+i))) }()
	}
	<-asked
	for _, name := range []string{"A", "B", "C"} {
		if err := create(t, srv.Client(t), name); err != nil {
			t.Error(err)
		}
	}
	close(release)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(asked); n != 0 {
		t.Errorf("eight requests for one key asked %d times", n+1)
	}
}

func TestAServerDoesNotStartWithoutItsKeyService(t *testing.T) {
	srv, transit, cfg := apptest.StartOnTransit(t)
	srv.Stop(t)
	transit.Answer(apptest.TransitError(http.StatusForbidden, "permission denied"))
	err := server.Run(t.Context(), cfg, nil, io.Discard, io.Discard)
	if !errors.Is(err, instance.ErrCannotOpen) || !strings.Contains(err.Error(), "does not open") ||
		!strings.Contains(err.Error(), "status 403: permission denied") {
		t.Errorf("%v", err)
	}
}

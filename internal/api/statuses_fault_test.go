package api_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/api"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/identity"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/middleware"
	"github.com/keysake/keysake/internal/vault"
)

// serve runs an API that a test puts together.
func serve(t *testing.T, make func(log *slog.Logger) http.Handler) *site {
	t.Helper()
	logs := &apptest.Buffer{}
	log := slog.NewJSONHandler(logs, &slog.HandlerOptions{Level: slog.LevelDebug})
	srv := httptest.NewServer(make(slog.New(log)))
	t.Cleanup(srv.Close)
	return newSite(t, &apptest.Server{URL: srv.URL, Logs: logs}, false)
}

// answering is a site whose one operation, a GET, does what it is told.
func answering(t *testing.T, path string, do func(http.ResponseWriter) error) *site {
	t.Helper()
	return serve(t, func(log *slog.Logger) http.Handler {
		return api.NewWith(api.Options{Middleware: middleware.Options{Log: log}}, path, do)
	})
}

func TestAPanicIsA500ThatTellsNothingOfWhatWasPanickedWith(t *testing.T) {
	canary := "canary-" + strings.Repeat("x9", 20)
	for name, panics := range map[string]func(){
		"a string":           func() { panic(canary) },
		"an error":           func() { panic(errors.New(canary)) },
		"a wrapped error":    func() { panic(fmt.Errorf("with %w", errors.New(canary))) },
		"bytes":              func() { panic([]byte(canary)) },
		"a struct":           func() { panic(struct{ value string }{canary}) },
		"an error of status": func() { panic(&vault.Error{Kind: vault.NotFound, Detail: canary}) },
		"nothing":            func() { panic(nil) },
		"an index too far":   func() { _ = make([]string, 1)[len(canary)] },
		"a wrong type":       func() { _ = any(canary).(int) },
	} {
		t.Run(name, func(t *testing.T) {
			s := answering(t, secretsPath, func(http.ResponseWriter) error { panics(); return nil })
			for range 2 { // the server lives on
				got := s.do(t, get(secretsPath, noKey))
				got.refused(t, 500)
				logs := s.Logs.String()
				if strings.Contains(string(got.body), canary) || strings.Contains(logs, canary) {
					t.Error("the answer or the log has what was panicked with")
				}
				if !strings.Contains(logs, "statuses_fault_test.go") ||
					!strings.Contains(logs, got.header.Get("X-Request-Id")) {
					t.Error("the log does not say where it was, under the request's id")
				}
			}
		})
	}
}

func TestAnErrorBecomesTheStatusOfItsKind(t *testing.T) {
	const canary = "canary-in-a-cause"
	cause := errors.New(canary)
	for _, c := range []struct {
		name   string
		err    error
		status int
		logged bool
	}{
		{"anything", cause, 500, true},
		{"an internal error", &vault.Error{Detail: canary, Cause: cause}, 500, true},
		{"no room on the disk", &vault.Error{Kind: vault.Unavailable, Detail: "The disk is full", Cause: cause}, 503, true},
		{"no time left", fmt.Errorf("%s: %w", canary, context.DeadlineExceeded), 503, true},
		{"a bad gateway", &vault.Error{Kind: vault.BadGateway, Detail: "The key service answered badly", Cause: cause}, 502, true},
		{"a late gateway", &vault.Error{Kind: vault.GatewayTimeout, Detail: "The key service did not answer in time", Cause: cause}, 504, true},
		{"something else than was asked for", &vault.Error{Kind: vault.Denied, Detail: "The quota is full", Cause: cause}, 403, false},
		{"a wrapped kind", fmt.Errorf("%s: %w", canary, vault.ErrNotFound), 404, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			fail := func(http.ResponseWriter) error { return c.err }
			s := answering(t, secretsPath+"/{secret_id}", fail)
			got := s.do(t, get(secretsPath+"/"+nowhere, noKey))
			got.refused(t, c.status)
			if bytes.Contains(got.body, []byte(canary)) {
				t.Error("the answer has the cause")
			}
			if logged := strings.Contains(s.Logs.String(), canary); logged != c.logged {
				t.Errorf("the cause is in the log: %v, want %v", logged, c.logged)
			}
		})
	}
}

// A swap is a change of the database file by another program.
type swap struct {
	name, query string
	args        []any
}

func TestSealedDataThatWasMovedIsA500AndNeverAnotherValue(t *testing.T) {
	t.Parallel()
	s := start(t)
	a, b := s.person(t), s.person(t)
	one := s.secret(t, a.key, "ONE", "first--value-of-a-whose-mask-is-one")
	two := s.secret(t, a.key, "TWO", "second-value-of-a-whose-mask-is-two")
	foreign := s.secret(t, b.key, "ONE", "third--value-of-b-whose-mask-is-six")
	var earlier []byte
	const mask = "SELECT sealed_mask FROM secrets WHERE id = $1"
	if err := s.database(t).QueryRowContext(t.Context(), mask, one).Scan(&earlier); err != nil {
		t.Fatal(err)
	}
	fourth := `{"value": "fourth-value-of-a-whose-mask-is-fou"}`
	s.do(t, put(secretsPath+"/"+one, a.key, fourth)).want(t, 200)
	var now []byte
	if err := s.database(t).QueryRowContext(t.Context(), mask, one).Scan(&now); err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(now)
	changed[len(changed)-1] ^= 1
	const setMask = "UPDATE secrets SET sealed_mask = $1 WHERE id = $2"
	const from = " = (SELECT %s FROM secrets WHERE id = $1) WHERE id = $2"
	column := func(to, of string) string {
		return "UPDATE secrets SET " + to + fmt.Sprintf(from, of)
	}
	for i, swap := range []swap{
		{"the mask of another secret", column("sealed_mask", "sealed_mask"), []any{two, one}},
		{"the mask of another user's secret", column("sealed_mask", "sealed_mask"), []any{foreign, one}},
		{"the mask of an earlier version", setMask, []any{earlier, one}},
		{"the value in the place of the mask", column("sealed_mask", "sealed_value"), []any{one, one}},
		{"another last byte", setMask, []any{changed, one}},
		{"the mask cut off", setMask, []any{now[:20], one}},
		{"no mask", setMask, []any{[]byte{}, one}},
		{"another version", "UPDATE secrets SET version = 1 WHERE id = $1", []any{one}},
		{"another name", "UPDATE secrets SET name = 'OTHER' WHERE id = $1", []any{one}},
		{"another provider", "UPDATE secrets SET provider = 'openai' WHERE id = $1", []any{one}},
		{"another birth", "UPDATE secrets SET created_at = created_at - 1 WHERE id = $1", []any{one}},
		{"another time", "UPDATE secrets SET updated_at = updated_at + 1 WHERE id = $1", []any{one}},
		{"another stamp", "UPDATE secrets SET stamp = $1 WHERE id = $2", []any{make([]byte, 16), one}},
		{"another user", "UPDATE secrets SET user_id = $1, name = 'MOVED' WHERE id = $2", []any{b.id, one}},
		{"another id", "UPDATE secrets SET id = $1 WHERE id = $2", []any{nowhere, one}},
	} {
		victim, path := a, secretsPath+"/"+one
		if swap.name == "another user" {
			victim = b
		}
		if swap.name == "another id" {
			path = secretsPath + "/" + nowhere
		}
		undo := s.keep(t, one)
		before := strings.Count(s.Logs.String(), "tampering=true")
		s.exec(t, swap.query, swap.args...)
		for n, asked := range []string{path, secretsPath} {
			got := s.do(t, get(asked, victim.key))
			if got.status != 500 || bytes.Contains(got.body, []byte("••••")) {
				t.Errorf("%d, %s: %s answered %d, want 500", i, swap.name, asked, got.status)
			}
			if logged := strings.Count(s.Logs.String(), "tampering=true"); logged != before+n+1 {
				t.Errorf("%s: it is in the log %d times, want %d", swap.name, logged-before, n+1)
			}
		}
		undo()
	}
	s.do(t, get(secretsPath, a.key)).want(t, 200)
}

// keep returns a function that puts a secret's row back as it is now.
func (s *site) keep(t *testing.T, id string) (undo func()) {
	t.Helper()
	kept := make([]any, 10)
	into := make([]any, len(kept))
	for i := range kept {
		into[i] = &kept[i]
	}
	const query = `SELECT id, user_id, name, version, sealed_mask, provider, created_at, updated_at,
		stamp, sealed_value FROM secrets WHERE id = $1`
	err := s.database(t).QueryRowContext(t.Context(), query, id).Scan(into...)
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		s.exec(t, `UPDATE secrets SET id = $1, user_id = $2, name = $3, version = $4,
			sealed_mask = $5, provider = $6, created_at = $7, updated_at = $8, stamp = $9
			WHERE sealed_value = $10`, kept...)
	}
}

func TestADatabaseThatIsClosedIsA503(t *testing.T) {
	cfg := apptest.Config(t)
	roots := instance.NewKeys(cfg, nil)
	i, err := instance.Open(t.Context(), cfg, roots, instance.Create)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = i.Close() }) // the database is closed by then
	dev, err := vault.NewUsername("dev")
	if err != nil {
		t.Fatal(err)
	}
	key, err := i.Operator.CreateAdmin(t.Context(), dev, vault.KeyName{})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, func(log *slog.Logger) http.Handler {
		around := middleware.Options{Log: log}
		return api.New(api.Options{
			Vault: i.Vault, Identity: identity.New(i.Vault), Middleware: around,
		})
	})
	s.do(t, get(userPath, key)).want(t, 200)
	if err := i.Store.Close(); err != nil {
		t.Fatal(err)
	}
	s.do(t, get(userPath, key)).refused(t, 503)
	s.do(t, post(secretsPath, key, custom)).refused(t, 503)
	s.do(t, get(userPath, noKey)).refused(t, 401)
}

func TestADatabaseThatCannotBeWrittenIsA503AndWorksAgainAfterwards(t *testing.T) {
	t.Parallel()
	s := start(t)
	me := s.person(t)
	id := s.secret(t, me.key, "ONE", "any-value")
	lock, err := s.database(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	begin := "BEGIN IMMEDIATE"
	if s.DatabaseURL != "" {
		begin = "BEGIN; LOCK TABLE users IN EXCLUSIVE MODE"
	}
	if _, err := lock.ExecContext(t.Context(), begin); err != nil {
		t.Fatal(err)
	}
	create := post(secretsPath, me.key, `{"name": "TWO", "value": "any-value"}`)
	s.do(t, create).refused(t, 503) // after the time that the database waits for a lock
	s.do(t, get(secretsPath+"/"+id, me.key)).want(t, 200)
	if _, err := lock.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	s.do(t, create).want(t, 201)
}

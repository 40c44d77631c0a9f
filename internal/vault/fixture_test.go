package vault_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"iter"
	"log/slog"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const bullets = "\u2022\u2022\u2022\u2022"

// A place is a service on a database of its own, with the first admin in it.
type place struct {
	*vault.Service
	t     *testing.T
	db    *sqlite.DB
	file  string // of the database
	root  seal.RootKey
	quota int
	clock *clock
	admin vault.Actor
}

// A clock goes forward by a second each time that it is asked, or as the test says.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(time.Second)
	return c.at
}

func (c *clock) forward(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
}

func (c *clock) last() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// start makes a database with a root key and the user admin, whose API key has every scope. The
// test goes on beside others, because most of its time it waits for the disk.
func start(t *testing.T, quota int) *place {
	t.Helper()
	t.Parallel()
	dir := t.TempDir()
	root, err := seal.NewRootKey(bytes.Repeat([]byte{1}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	p := &place{
		t:     t,
		file:  filepath.Join(dir, "keysake.db"),
		root:  root,
		quota: quota,
		clock: &clock{at: time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)},
	}
	if p.db, err = sqlite.Open(t.Context(), p.file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.db.Close(); err != nil {
			t.Error(err)
		}
	})
	p.Service = p.service(root)
	if err := p.AddRootKey(t.Context(), root, "file:root.key", ""); err != nil {
		t.Fatal(err)
	}
	token, err := p.Bootstrap(t.Context(), "admin", "first")
	if err != nil {
		t.Fatal(err)
	}
	p.admin = p.authenticated(token)
	return p
}

// service returns a new service on the same database: nothing is open in its memory.
func (p *place) service(root seal.RootKey) *vault.Service {
	p.t.Helper()
	known, err := catalog.Load()
	if err != nil {
		p.t.Fatal(err)
	}
	return vault.New(vault.Options{
		Store:        p.db,
		OpenRoot:     func(context.Context, vault.StoredRootKey) (seal.RootKey, error) { return root, nil },
		KeyTTL:       time.Hour,
		KeepVersions: 5,
		Catalog:      known,
		MaxSecrets:   p.quota,
		Now:          p.clock.now,
		Log:          slog.New(slog.DiscardHandler),
	})
}

// restart forgets whatever the service has in its memory.
func (p *place) restart() { p.Service = p.service(p.root) }

func (p *place) authenticated(token plaintext.Value) vault.Actor {
	p.t.Helper()
	who, err := p.Authenticate(p.t.Context(), token)
	if err != nil {
		p.t.Fatal(err)
	}
	return who
}

// user makes a user with an API key that has the given scopes, all of a user's if there are none.
func (p *place) user(name string, scopes ...policy.Scope) vault.Actor {
	p.t.Helper()
	made, err := p.CreateUser(p.t.Context(), p.admin, name, "")
	if err != nil {
		p.t.Fatal(err)
	}
	return p.authenticated(p.granted(made.ID, scopes...))
}

// granted returns the token of a new API key for a user.
func (p *place) granted(user uuid.UUID, scopes ...policy.Scope) plaintext.Value {
	p.t.Helper()
	var in vault.APIKeyRequest
	for _, scope := range scopes {
		in.Scopes = append(in.Scopes, string(scope))
	}
	_, token, err := p.GrantAPIKey(p.t.Context(), p.admin, user, in)
	if err != nil {
		p.t.Fatal(err)
	}
	return token
}

// secret makes a custom secret and returns it.
func (p *place) secret(who vault.Actor, name string, value plaintext.Value) vault.Secret {
	p.t.Helper()
	made, err := p.CreateSecret(p.t.Context(), who, name, "", value)
	if err != nil {
		p.t.Fatal(err)
	}
	return made
}

// fake makes a value that is long enough for a mask, and that no scanner takes for a key: letters
// of the seed, over and over.
func fake(seed string) plaintext.Value {
	return plaintext.FromString(strings.Repeat(seed, 40/len(seed)+1)[:40])
}

// with returns the same caller with other scopes.
func with(who vault.Actor, scopes ...policy.Scope) vault.Actor {
	who.Scopes = scopes
	return who
}

// chain returns a user's audit entries.
func (p *place) chain(user uuid.UUID) (entries []audit.Linked) {
	p.t.Helper()
	err := p.db.View(p.t.Context(), func(r vault.Reader) error {
		return r.AuditEntries(p.t.Context(), user, func(e audit.Linked) error {
			entries = append(entries, e)
			return nil
		})
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return entries
}

// newEntries returns what was appended to a user's chain while do ran.
func (p *place) newEntries(user uuid.UUID, do func()) []audit.Linked {
	p.t.Helper()
	before := len(p.chain(user))
	do()
	return p.chain(user)[before:]
}

// assertChain checks that a living user's chain holds and ends where the ledger says, and that the
// ledger's count is that of the rows.
func (p *place) assertChain(user uuid.UUID) {
	p.t.Helper()
	var ledger vault.Ledger
	var secrets []vault.StoredSecret
	err := p.db.View(p.t.Context(), func(r vault.Reader) (err error) {
		ledger, err = r.Ledger(p.t.Context(), user)
		if err != nil {
			return err
		}
		secrets, err = r.Secrets(p.t.Context(), user)
		return err
	})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := (audit.Chain{}).Verify(user, all(p.chain(user)), ledger.Head); err != nil {
		p.t.Error(err)
	}
	if ledger.Secrets != len(secrets) {
		p.t.Errorf("the ledger has %d secrets, the table %d", ledger.Secrets, len(secrets))
	}
}

func all(entries []audit.Linked) iter.Seq2[audit.Linked, error] {
	return func(yield func(audit.Linked, error) bool) {
		for e := range slices.Values(entries) {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// assertEntries checks what was recorded: of each entry the fields that tell who did what to whom.
func (p *place) assertEntries(got []audit.Linked, want ...audit.Entry) {
	p.t.Helper()
	var seen []audit.Entry
	for _, e := range got {
		e.Seq, e.At = 0, time.Time{}
		seen = append(seen, e.Entry)
	}
	if diff := cmp.Diff(want, seen, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		p.t.Errorf("audit entries (-want +got):\n%s", diff)
	}
}

// sql changes the database behind the service's back, and returns how many rows that changed.
func (p *place) sql(query string, args ...any) int64 {
	p.t.Helper()
	db := p.connect()
	defer db.Close()
	result, err := db.ExecContext(p.t.Context(), query, args...)
	if err != nil {
		p.t.Fatal(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

// sqlRow reads one row behind the service's back.
func (p *place) sqlRow(query string, args []any, into ...any) {
	p.t.Helper()
	db := p.connect()
	defer db.Close()
	if err := db.QueryRowContext(context.Background(), query, args...).Scan(into...); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) connect() *sql.DB {
	p.t.Helper()
	db, err := sql.Open(
		"sqlite",
		(&url.URL{Scheme: "file", Opaque: p.file, RawQuery: "_pragma=busy_timeout(5000)&_pragma=synchronous(OFF)"}).String(),
	)
	if err != nil {
		p.t.Fatal(err)
	}
	return db
}

// assertKind checks what kind of error it is.
func assertKind(t *testing.T, what string, err error, want vault.Kind) {
	t.Helper()
	if err == nil || vault.KindOf(err) != want {
		t.Errorf("%s: got %v, want the kind %d", what, err, want)
	}
	if _, ok := errors.AsType[*vault.Error](err); !ok {
		t.Errorf("%s: %T has no kind", what, err)
	}
}

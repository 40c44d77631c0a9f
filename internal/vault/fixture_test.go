package vault_test

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const bullets = "\u2022\u2022\u2022\u2022"

// A tester is a test, rapid's or not.
type tester interface {
	rapid.TB
	Context() context.Context
}

// A fixture is a vault on a database of its own, with the first admin in it.
type fixture struct {
	*vault.Service
	*vault.Operator

	t      tester
	db     database
	file   string // of the database, or its URL
	named  named
	limits vault.Limits
	clock  *clock
	admin  vault.Actor

	webhook bool // there is one, from the next restart on

	key, added seal.InstanceKey
}

var presets = sync.OnceValue(func() *catalog.Catalog { return must(catalog.Load()) })

// A clock advances by a second each time it is read, or as the test says.
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
// test runs beside others, because it waits for the disk most of the time.
func start(t *testing.T) *fixture {
	t.Helper()
	return startWith(t, 200, 5)
}

// startWith is start with limits.
func startWith(t *testing.T, secrets, versions int) *fixture {
	t.Helper()
	t.Parallel()
	p := open(t, t.TempDir(), secrets, versions)
	t.Cleanup(func() { p.must(p.db.Close()) })
	p.initialize(1)
	token, err := p.CreateAdmin(t.Context(), username("admin"), keyName("first"))
	p.must(err)
	p.admin = p.authenticated(token)
	return p
}

// open makes an empty database.
func open(t tester, dir string, secrets, versions int) *fixture {
	t.Helper()
	p := &fixture{
		t:      t,
		limits: must(vault.NewLimits(secrets, versions)),
		clock:  &clock{at: time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)},
	}
	var err error
	p.db, p.file, err = newDatabase(t.Context(), dir)
	p.must(err)
	p.restart()
	return p
}

// restart forgets whatever the vault has in its memory.
func (p *fixture) restart() {
	p.Service, p.Operator = p.newVault()
}

// deleteDelay is how long a deletion can be called off.
const deleteDelay = 24 * time.Hour

// newVault is what another process has: the same database, and nothing in the memory.
func (p *fixture) newVault() (*vault.Service, *vault.Operator) { return p.vaultOn(p.db) }

func (p *fixture) vaultOn(store vault.Store) (*vault.Service, *vault.Operator) {
	return p.vaultWith(store, p.clock.now)
}

// vaultWith is a vault with a clock of its own.
func (p *fixture) vaultWith(
	store vault.Store, now func() time.Time,
) (*vault.Service, *vault.Operator) {
	if runTwice {
		store = storetest.RunTwice(store)
	}
	service, operator := vault.New(vault.Options{
		Store: store, Keys: &p.named, KeyTTL: time.Hour,
		Catalog: presets(), Limits: p.limits, Now: now, DeleteDelay: deleteDelay,
		Webhook: p.webhook,
	})
	p.must(operator.OpenInstanceKeys(p.t.Context()))
	return service, operator
}

// named are the keys that the configuration names.
type named struct {
	mu       sync.Mutex
	roots    map[uuid.UUID]seal.RootKey
	first    uuid.UUID
	instance []uuid.UUID
}

func (n *named) FirstRootKey(context.Context, []vault.StoredRootKey) (uuid.UUID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.first, nil
}

func (n *named) OpenRootKey(_ context.Context, k vault.StoredRootKey) (seal.RootKey, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if root, found := n.roots[k.ID]; found {
		return root, nil
	}
	return nil, vault.ErrNotConfigured
}

func (n *named) InstanceKeys() ([]uuid.UUID, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.instance, nil
}

func (n *named) setInstance(ids ...uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.instance = ids
}

// set names a root key, with this id.
func (n *named) set(id uuid.UUID, root seal.RootKey) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.roots == nil {
		n.roots = map[uuid.UUID]seal.RootKey{}
	}
	n.roots[id] = root
}

func (n *named) remove(id uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.roots, id)
}

func (n *named) setFirst(id uuid.UUID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.first = id
}

// newRoot makes a root key that the configuration names.
func (p *fixture) newRoot(n byte) seal.RootKey {
	root := rootKey(n)
	p.named.set(root.ID(), root)
	return root
}

// initialize gives a new database its root key and its instance key.
func (p *fixture) initialize(n byte) {
	p.t.Helper()
	root, key := p.newRoot(n), must(seal.NewInstanceKey())
	p.named.setFirst(root.ID())
	p.key, p.named.instance = key, []uuid.UUID{key.ID()}
	p.must(p.Initialize(p.t.Context(), root, "file:root.key", "", key))
}

// makeFirst is what an operator does who rotates to another root key.
func (p *fixture) makeFirst(root seal.RootKey) {
	p.t.Helper()
	p.must(p.AddRootKey(p.t.Context(), root, "file:other.key", ""))
	p.named.setFirst(root.ID())
}

func rootKey(n byte) seal.RootKey {
	return must(seal.NewRootKey(bytes.Repeat([]byte{n}, seal.KeySize)))
}

func (p *fixture) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

// must returns what a constructor makes that does not fail.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func username(text string) vault.Username { return must(vault.NewUsername(text)) }

func keyName(text string) vault.KeyName { return must(vault.NewKeyName(text)) }

func userRequest(name string) vault.UserRequest {
	return vault.UserRequest{Username: username(name)}
}

// keyRequest asks for an API key with these scopes, with all of the maker's if there are none.
func keyRequest(scopes ...string) vault.APIKeyRequest {
	return vault.APIKeyRequest{Scopes: must(vault.NewScopes(scopes))}
}

func expiring(at time.Time) vault.APIKeyRequest {
	return vault.APIKeyRequest{ExpiresAt: must(vault.NewExpiry(at))}
}

func fromPreset(provider string, v vault.Value) vault.FromPreset {
	return vault.FromPreset{Provider: provider, Value: v}
}

func custom(name string, v vault.Value) vault.SecretRequest {
	return ofProvider(name, "", v)
}

func ofProvider(name, provider string, v vault.Value) vault.SecretRequest {
	return vault.SecretRequest{Name: secretName(name), Provider: provider, Value: v}
}

func secretName(text string) vault.Name { return must(vault.NewName(text)) }

func value(text string) vault.Value { return must(vault.NewValue(plaintext.FromString(text))) }

// fake makes a value that is long enough for a mask, and that no scanner takes for a key: letters
// of the seed, over and over.
func fake(seed string) vault.Value { return value(strings.Repeat(seed, 40/len(seed)+1)[:40]) }

func (p *fixture) authenticated(token plaintext.Value) vault.Actor {
	p.t.Helper()
	who, err := p.Authenticate(p.t.Context(), token)
	p.must(err)
	return who
}

// user makes a user with an API key that has the given scopes, all of a user's if there are none.
func (p *fixture) user(name string, scopes ...policy.Scope) vault.Actor {
	p.t.Helper()
	made, err := p.CreateUser(p.t.Context(), p.admin, userRequest(name))
	p.must(err)
	if len(scopes) == 0 {
		scopes = policy.UserScopes()
	}
	_, token, err := p.CreateAPIKeyFor(
		p.t.Context(), p.admin, made.ID, keyRequest(texts(scopes)...))
	p.must(err)
	return p.authenticated(token)
}

func texts(scopes []policy.Scope) (names []string) {
	for _, s := range scopes {
		names = append(names, string(s))
	}
	return names
}

// secret makes a custom secret and returns it.
func (p *fixture) secret(who vault.Actor, name string, v vault.Value) vault.Secret {
	p.t.Helper()
	made, err := p.CreateSecret(p.t.Context(), who, custom(name, v))
	p.must(err)
	return made
}

// with returns the same caller with other scopes.
func with(who vault.Actor, scopes ...policy.Scope) vault.Actor {
	who.Scopes = scopes
	return who
}

// view reads the database behind the vault's back.
func (p *fixture) view(do func(vault.Reader) error) {
	p.t.Helper()
	p.must(p.db.View(p.t.Context(), do))
}

// chain returns the audit entries of a user or the instance.
func (p *fixture) chain(owner uuid.UUID) (entries []audit.Linked) {
	p.t.Helper()
	p.view(func(r vault.Reader) error {
		return r.AuditEntries(p.t.Context(), owner, func(e audit.Linked) error {
			entries = append(entries, e)
			return nil
		})
	})
	return entries
}

// newEntries returns what was appended to a user's chain while do ran.
func (p *fixture) newEntries(user uuid.UUID, do func()) []audit.Linked {
	p.t.Helper()
	before := len(p.chain(user))
	do()
	return p.chain(user)[before:]
}

// assertChain checks that a user's chain holds and ends where the ledger says, and that the ledger
// lists as many secrets as there are. nil stands for the instance.
func (p *fixture) assertChain(user uuid.UUID) {
	p.t.Helper()
	ledger, owner, err := p.LedgerOf(p.t.Context(), user)
	p.must(err)
	entries := audit.Sequence(p.chain(owner))
	if err := audit.VerifyChain(owner, entries, ledger.Head); err != nil {
		p.t.Error(err)
	}
	p.view(func(r vault.Reader) error {
		secrets, err := r.Secrets(p.t.Context(), user)
		if ledger.Secrets.Len() != len(secrets) {
			p.t.Errorf("the ledger lists %d secrets of %d", ledger.Secrets.Len(), len(secrets))
		}
		return err
	})
}

// instance returns the id of the instance.
func (p *fixture) instance() uuid.UUID {
	p.t.Helper()
	_, owner, err := p.LedgerOf(p.t.Context(), uuid.Nil)
	p.must(err)
	return owner
}

// assertEntries checks what was recorded: of each entry the fields that tell who did what to whom.
func (p *fixture) assertEntries(got []audit.Linked, want ...audit.Entry) {
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

// sql changes the database behind the vault's back, and returns how many rows that changed.
func (p *fixture) sql(query string, args ...any) int64 {
	p.t.Helper()
	db := p.connect()
	defer db.Close()
	result, err := db.ExecContext(p.t.Context(), translated(query), args...)
	p.must(err)
	n, err := result.RowsAffected()
	p.must(err)
	if onPostgres {
		_, err := db.ExecContext(p.t.Context(), "NOTIFY keysake_access")
		p.must(err)
	}
	p.notice()
	return n
}

// notice makes the store notice what another connection has written: SQLite looks before each
// update, and PostgreSQL must be told.
func (p *fixture) notice() {
	if onPostgres {
		time.Sleep(vault.NoticedWithin)
		return
	}
	_ = p.db.Update(p.t.Context(), func(vault.Tx) error { return nil })
}

// sqlRow reads one row behind the vault's back.
func (p *fixture) sqlRow(query string, args []any, into ...any) {
	p.t.Helper()
	db := p.connect()
	defer db.Close()
	row := db.QueryRowContext(context.Background(), translated(query), args...)
	p.must(row.Scan(into...))
}

// assertKind checks what kind of error it is.
func assertKind(t tester, what string, err error, want vault.Kind) {
	t.Helper()
	if err == nil || vault.KindOf(err) != want {
		t.Errorf("%s: got %v, want the kind %d", what, err, want)
	}
	if _, ok := errors.AsType[*vault.Error](err); !ok {
		t.Errorf("%s: %T has no kind", what, err)
	}
}

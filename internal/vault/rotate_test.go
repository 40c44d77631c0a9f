package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/internal/vault/vaulttest"
)

// A rotating is a database whose keys are rotated, interrupted, and rotated again, beside the
// values that its users have stored.
type rotating struct {
	*fixture

	users map[uuid.UUID]map[uuid.UUID]vault.Value
	ids   []uuid.UUID
	n     int
}

// startRotating makes a database with a root key and some users.
func startRotating(t tester, dir string) *rotating {
	r := &rotating{
		fixture: open(t, dir, 1000, 3), users: map[uuid.UUID]map[uuid.UUID]vault.Value{},
	}
	r.crash()
	r.initialize(byte(r.next()))
	token, err := r.CreateAdmin(t.Context(), username("admin"), keyName("first"))
	r.must(err)
	r.admin = r.authenticated(token)
	r.know(r.admin.User)
	return r
}

// crash leaves the database, and nothing in the memory.
func (r *rotating) crash() {
	r.restart()
	r.RotateInBatchesOf(2)
}

// next returns a number that was not used before.
func (r *rotating) next() int {
	r.n++
	return r.n
}

func (r *rotating) addRoot() seal.RootKey {
	root := r.newRoot(byte(r.next()))
	r.makeFirst(root)
	return root
}

func (r *rotating) know(user uuid.UUID) {
	r.users[user] = map[uuid.UUID]vault.Value{}
	r.ids = append(r.ids, user)
}

func (r *rotating) addUser() {
	name := userRequest(fmt.Sprint("user-", r.next()))
	made, err := r.CreateUser(r.t.Context(), r.admin, name)
	r.must(err)
	r.know(made.ID)
}

func owner(id uuid.UUID) vault.Actor { return vault.Actor{User: id, Scopes: policy.UserScopes()} }

func (r *rotating) write(user uuid.UUID) {
	v := fake(fmt.Sprint("value ", r.next(), "."))
	made := r.secret(owner(user), fmt.Sprint("NAME_", r.n), v)
	if r.n%2 == 0 {
		v = fake(fmt.Sprint("value ", r.next(), "."))
		r.must2(r.UpdateSecret(r.t.Context(), owner(user), made.ID, v))
	}
	r.users[user][made.ID] = v
}

// until returns a context, and a progress that ends it after so many steps.
func (r *rotating) until(steps int) (context.Context, func(int, int)) {
	ctx, stop := context.WithCancel(r.t.Context())
	return ctx, func(int, int) {
		if steps--; steps < 0 {
			stop()
		}
	}
}

// interrupted is no failure of a rotation that was to be interrupted.
func (r *rotating) interrupted(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		r.t.Fatal(err)
	}
	r.crash()
}

func (r *rotating) retireSome() {
	keys, err := r.ListRootKeys(r.t.Context())
	r.must(err)
	for _, k := range keys {
		err := r.RetireRootKey(r.t.Context(), k.ID)
		needed := k.ID == r.named.first || k.OwnerKeys > 0 || r.keepsInstanceKey(k.ID)
		if needed != (vault.KindOf(err) == vault.Conflict) {
			r.t.Fatalf("a root key that wraps %d: %v", k.OwnerKeys, err)
		}
		if err == nil {
			r.named.remove(k.ID) // and the operator destroys it
		}
	}
}

// keepsInstanceKey reports whether a root key wraps the instance key, and the first does not yet.
func (r *rotating) keepsInstanceKey(id uuid.UUID) bool {
	stored, err := r.ListInstanceKeys(r.t.Context())
	r.must(err)
	by := func(root uuid.UUID) bool {
		return slices.ContainsFunc(stored, func(k vault.StoredInstanceKey) bool {
			return k.RootKey == root
		})
	}
	return by(id) && !by(r.named.first)
}

// assertAll opens everything with nothing in the memory.
func (r *rotating) assertAll() {
	r.crash()
	ctx := r.t.Context()
	r.must2(r.CheckRootKeys(ctx))
	r.must(r.OpenInstanceKeys(ctx))
	keys, err := r.ListRootKeys(ctx)
	r.must(err)
	wrapped := 0
	for _, k := range keys {
		wrapped += k.OwnerKeys
		r.must(r.OpenOwnerKeys(ctx, k.ID))
	}
	if wrapped != len(r.users) {
		r.t.Fatalf("%d owner keys of %d users", wrapped, len(r.users))
	}
	for user, secrets := range r.users {
		for id, want := range secrets {
			got, err := vaulttest.OpenSecret(ctx, r.Service, owner(user), id)
			r.must(err)
			if !bytes.Equal(got.Reveal(), want.Plain().Reveal()) {
				r.t.Fatal("a value opens to another one")
			}
		}
		r.assertChain(user)
	}
	r.assertChain(uuid.Nil)
}

func TestNoOrderOfRotationsAndCrashesLosesAnything(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		r := startRotating(rt, dir)
		defer r.db.Close()
		for range 4 {
			r.addUser()
		}
		some := func() uuid.UUID { return rapid.SampledFrom(r.ids).Draw(rt, "user") }
		steps := rapid.IntRange(0, 4)
		rt.Repeat(map[string]func(*rapid.T){
			"":                 func(*rapid.T) {},
			"write":            func(*rapid.T) { r.write(some()) },
			"make a user":      func(*rapid.T) { r.addUser() },
			"crash":            func(*rapid.T) { r.crash() },
			"another root key": func(*rapid.T) { r.addRoot() },
			"rewrap a part": func(*rapid.T) {
				ctx, progress := r.until(steps.Draw(rt, "steps"))
				r.interrupted(r.RewrapKeys(ctx, progress))
			},
			"rewrap all": func(*rapid.T) {
				r.must(r.RewrapKeys(rt.Context(), func(int, int) {}))
			},
			"retire": func(*rapid.T) { r.retireSome() },
			"rotate one owner key": func(*rapid.T) {
				r.must(r.RotateOwnerKey(rt.Context(), some()))
			},
			"rotate some owner keys": func(*rapid.T) {
				ctx, progress := r.until(steps.Draw(rt, "steps"))
				r.interrupted(r.RotateOwnerKeys(ctx, progress))
			},
		})
		r.assertAll()
	})
}

// An owner key may be rotated while its user and others write, in this process and in another.
func TestARotationOfABusyUsersOwnerKeyLosesNothing(t *testing.T) {
	p := start(t)
	made := p.secret(p.admin, "BUSY", fake("first"))
	_, other := p.newVault()
	rounds := make(chan struct{}, 40)
	var writers sync.WaitGroup
	for i := range 4 {
		writers.Go(func() {
			for j := range 10 {
				name := fmt.Sprintf("NAME_%d_%d", i, j)
				_, created := p.CreateSecret(t.Context(), p.admin, custom(name, fake(name)))
				_, updated := p.UpdateSecret(t.Context(), p.admin, made.ID, fake(name))
				_, listed := p.ListSecrets(t.Context(), p.admin)
				if err := errors.Join(created, updated, listed); err != nil {
					t.Error(err)
				}
				rounds <- struct{}{}
			}
		})
	}
	for range 5 {
		for range 6 {
			<-rounds
		}
		p.must(other.RotateOwnerKey(t.Context(), p.admin.User))
	}
	writers.Wait()
	secrets, err := p.ListSecrets(t.Context(), p.admin)
	if err != nil || len(secrets) != 41 {
		t.Fatalf("%d secrets: %v", len(secrets), err)
	}
	for _, s := range secrets {
		if s.ID != made.ID {
			p.assertOpens(p.admin, s.ID, fake(s.Name))
		}
	}
	p.assertChain(p.admin.User)
}

func TestRotationsLeaveAuditEntries(t *testing.T) {
	t.Parallel()
	r := startRotating(t, t.TempDir())
	defer r.db.Close()
	first := must(r.ListRootKeys(t.Context()))[0].ID
	second := r.newRoot(200)
	for range 2 { // nothing of it is done twice
		r.makeFirst(second)
		r.must(r.RewrapKeys(t.Context(), func(int, int) {}))
	}
	r.must(r.RetireRootKey(t.Context(), first))
	assertKind(t, "a retired one", r.RetireRootKey(t.Context(), first), vault.NotFound)
	r.must(r.RotateOwnerKey(t.Context(), r.admin.User))
	r.assertActions(r.instance(),
		policy.InstanceCreate, policy.RootKeyAdd, policy.RootKeyRewrap, policy.RootKeyRetire)
	r.assertActions(r.admin.User, policy.UserCreate, policy.APIKeyCreateFor,
		policy.OwnerKeyRotate, policy.OwnerKeyDestroy)
	assertKind(t, "a user", r.RotateOwnerKey(t.Context(), uuid.New()), vault.NotFound)
	assertKind(t, "a root key", r.RetireRootKey(t.Context(), uuid.New()), vault.NotFound)
}

func (p *fixture) assertActions(owner uuid.UUID, want ...policy.Action) {
	p.t.Helper()
	var got []policy.Action
	for _, e := range p.chain(owner) {
		got = append(got, policy.Action(e.Action))
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		p.t.Errorf("recorded: %v", got)
	}
}

// A server may still wrap with the root key that it has read as the first before.
func TestNothingIsWrappedByARootKeyThatWasDropped(t *testing.T) {
	p := start(t)
	old := p.named.first
	_, operator := p.newVault()
	p.makeFirst(p.newRoot(2))
	p.must(operator.OpenInstanceKeys(t.Context()))
	p.must(operator.RewrapKeys(t.Context(), func(int, int) {}))
	p.named.setFirst(old)
	p.user("late") // wrapped by the old one
	next := rootKey(2).ID()
	p.named.setFirst(next)
	assertKind(t, "a drop", operator.DropRootKey(t.Context(), old), vault.Conflict)
	p.must(operator.RewrapKeys(t.Context(), func(int, int) {}))
	p.must(operator.DropRootKey(t.Context(), old))
	p.named.setFirst(old)
	_, err := p.CreateUser(t.Context(), p.admin, userRequest("later"))
	assertKind(t, "a user whose key the old one would wrap", err, vault.Unavailable)
	p.named.setFirst(next)
	p.user("later")
	keys := must(p.ListRootKeys(t.Context()))
	if len(keys) != 1 || keys[0].OwnerKeys != 3 {
		t.Errorf("the root keys are %v", keys)
	}
	if stored := must(p.ListInstanceKeys(t.Context())); len(stored) != 1 ||
		stored[0].RootKey != next {
		t.Errorf("the instance key is wrapped as %v", stored)
	}
}

// The row that a rotation finds may be somebody else's: the one that opens is not destroyed for it.
func TestAnInstanceKeyIsNotDroppedForARowThatDoesNotOpen(t *testing.T) {
	p := start(t)
	old := p.named.first
	p.makeFirst(p.newRoot(2))
	stored := must(p.ListInstanceKeys(t.Context()))[0]
	stored.RootKey = p.named.first
	p.must(p.db.Update(t.Context(), func(tx vault.Tx) error {
		return tx.InsertInstanceKey(t.Context(), stored)
	}))
	if err := p.RewrapKeys(t.Context(), func(int, int) {}); !errors.Is(err, seal.ErrOtherKey) {
		t.Errorf("the rotation: %v", err)
	}
	p.named.setFirst(old)
	p.restart()
	p.must(p.OpenInstanceKeys(t.Context()))
}

// Whoever can write the database can add a root key of their own, and wrap what they like with it.
func TestARootKeyThatIsOnlyInTheDatabaseOpensNothing(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	made := p.secret(ann, "ONE", fake("one"))
	foreign, own := rootKey(66), must(seal.NewOwnerKey())
	wrapped := must(foreign.Wrap(t.Context(), ann.User, own))
	p.must(p.db.Update(t.Context(), func(tx vault.Tx) error {
		return tx.InsertRootKey(t.Context(), vault.StoredRootKey{
			ID: foreign.ID(), Check: must(foreign.Check(t.Context())), CreatedAt: time.Now(),
		})
	}))
	p.sql("UPDATE owner_keys SET root_key_id = ?, wrapped = ? WHERE user_id = ?",
		foreign.ID().String(), wrapped, ann.User.String())
	p.restart()
	for range 2 {
		_, err := p.CreateSecret(t.Context(), ann, custom("TWO", fake("two")))
		assertTampered(t, "a create", err)
		_, err = p.UpdateSecret(t.Context(), ann, made.ID, fake("another"))
		assertTampered(t, "an update", err)
		err = p.RewrapKeys(t.Context(), func(int, int) {})
		if !errors.Is(err, vault.ErrNotConfigured) {
			t.Errorf("a rotation: %v", err)
		}
		p.restart()
		found, err := p.CheckRootKeys(t.Context())
		if err != nil || len(found) != 1 || found[0].ID != foreign.ID() {
			t.Errorf("at the start: %v, %v", found, err)
		}
		p.must(p.OpenInstanceKeys(t.Context()))
	}
}

// BenchmarkRewrapping is of a rotation of the root key with 100,000 users: go test -bench
// Rewrapping -benchtime 1x.
func BenchmarkRewrapping(b *testing.B) {
	const users = 100_000
	r := startRotating(b, b.TempDir())
	defer r.db.Close()
	root := r.addRoot()
	for range users / 1000 {
		r.must(r.db.Update(b.Context(), func(tx vault.Tx) error {
			for range 1000 {
				user, key := uuid.Must(uuid.NewV7()), must(seal.NewOwnerKey())
				id := key.ID()
				blob, err := root.Wrap(b.Context(), user, key)
				r.must(err)
				r.must(tx.InsertUser(b.Context(), vault.StoredUser{
					StoredLedger: vault.StoredLedger{Owner: user, Signed: []byte{}},
					Username:     user.String(), CreatedAt: time.Now(),
				}))
				r.must(tx.InsertOwnerKey(b.Context(), vault.StoredOwnerKey{
					ID: id, User: user, RootKey: root.ID(), Wrapped: blob, CreatedAt: time.Now(),
				}))
			}
			return nil
		}))
	}
	r.RotateInBatchesOf(50)
	for b.Loop() {
		r.addRoot()
		r.must(r.RewrapKeys(b.Context(), func(int, int) {}))
	}
	b.ReportMetric(float64(users)*float64(b.N)/b.Elapsed().Seconds(), "owner-keys/s")
}

func TestAnOwnerKeySealsOnlySoOften(t *testing.T) {
	p := start(t)
	ann := p.user("ann", policy.UserScopes()...)
	believed := func(uuid.UUID) (seal.InstanceKey, bool) { return p.key, true }
	p.signAnew(ann.User, believed, func(l *anchor.Ledger) { l.Seals = anchor.MaxSeals - 1 })
	last := p.secret(ann, "LAST", fake("l"))
	_, err := p.CreateSecret(t.Context(), ann, custom("MORE", fake("m")))
	assertKind(t, "one more secret", err, vault.Denied)
	_, err = p.UpdateSecret(t.Context(), ann, last.ID, fake("n"))
	assertKind(t, "one more version", err, vault.Denied)
	p.must(p.RotateOwnerKey(t.Context(), ann.User))
	p.secret(ann, "MORE", fake("m"))
	ledger, _, err := p.LedgerOf(t.Context(), ann.User)
	p.must(err)
	if ledger.Seals != 2 {
		t.Errorf("the new key has sealed %d times, not twice", ledger.Seals)
	}
}

package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
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
	r.addRoot()
	r.must2(r.CreateAdmin(t.Context(), username("admin"), keyName("first")))
	admin, err := r.FindUser(t.Context(), "admin")
	r.must(err)
	r.admin = vault.Actor{User: admin, Scopes: policy.AllScopes()}
	r.know(admin)
	return r
}

func (r *rotating) must2(_ any, err error) { r.must(err) }

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
	r.must(r.AddRootKey(r.t.Context(), root, "file:/"+root.ID().String(), ""))
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
		needed := k.State == vault.Primary || k.OwnerKeys > 0
		if needed != (vault.KindOf(err) == vault.Conflict) {
			r.t.Fatalf("a %s root key that wraps %d: %v", k.State, k.OwnerKeys, err)
		}
		if err == nil {
			r.roots.Delete(k.ID) // and the operator destroys it
		}
	}
}

// assertAll opens everything with nothing in the memory.
func (r *rotating) assertAll() {
	r.crash()
	ctx := r.t.Context()
	r.must(r.CheckRootKeys(ctx))
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
			got, err := r.OpenSecret(ctx, owner(user), id)
			r.must(err)
			if !bytes.Equal(got.Reveal(), want.Plain().Reveal()) {
				r.t.Fatal("a value opens to another one")
			}
		}
		r.assertChain(user)
	}
	r.assertVerified(r.instance())
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
		began := r.clock.now()
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
				r.interrupted(r.RewrapOwnerKeys(ctx, progress))
			},
			"rewrap all": func(*rapid.T) {
				r.must(r.RewrapOwnerKeys(rt.Context(), func(int, int) {}))
			},
			"retire": func(*rapid.T) { r.retireSome() },
			"rotate one owner key": func(*rapid.T) {
				r.must(r.RotateOwnerKey(rt.Context(), some()))
			},
			"rotate some owner keys": func(*rapid.T) {
				ctx, progress := r.until(steps.Draw(rt, "steps"))
				r.interrupted(r.RotateOwnerKeys(ctx, began, progress))
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
		r.must(r.AddRootKey(t.Context(), second, "file:/second", ""))
		r.must(r.RewrapOwnerKeys(t.Context(), func(int, int) {}))
		r.must(r.RetireRootKey(t.Context(), first))
	}
	r.must(r.RotateOwnerKey(t.Context(), r.admin.User))
	r.assertActions(r.instance().Owner,
		policy.RootKeyAdd, policy.RootKeyAdd, policy.RootKeyRewrap, policy.RootKeyRetire)
	r.assertActions(r.admin.User, policy.UserCreate, policy.APIKeyCreateFor, policy.OwnerKeyRotate)
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

func TestARewrapEndsWhenAnotherRootKeyBecomesThePrimary(t *testing.T) {
	t.Parallel()
	r := startRotating(t, t.TempDir())
	defer r.db.Close()
	for range 4 {
		r.addUser()
	}
	r.addRoot()
	err := r.RewrapOwnerKeys(t.Context(), func(done, _ int) {
		if done == 2 {
			r.addRoot()
		}
	})
	assertKind(t, "the rewrap", err, vault.Unavailable)
	r.must(r.RewrapOwnerKeys(t.Context(), func(int, int) {}))
	r.assertAll()
}

func TestARootKeyThatIsTheOneAlreadyMayHaveMoved(t *testing.T) {
	p := start(t)
	first, other := rootKey(1), p.newRoot(2)
	for _, step := range []struct {
		root seal.RootKey
		url  string
	}{{first, "file:elsewhere.key"}, {other, "file:other.key"}, {first, "file:back.key"}} {
		p.must(p.AddRootKey(t.Context(), step.root, step.url, ""))
		keys, err := p.ListRootKeys(t.Context())
		p.must(err)
		for _, k := range keys {
			if k.State == vault.Primary && (k.ID != step.root.ID() || k.URL != step.url) {
				t.Errorf("the primary is %s at %s, not at %s", k.ID, k.URL, step.url)
			}
			if k.State == vault.Replaced && k.ID == first.ID() && k.URL != "file:elsewhere.key" {
				t.Errorf("the replaced one is remembered at %s", k.URL)
			}
		}
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
				r.must(tx.InsertUser(b.Context(), vault.User{
					ID: user, Username: user.String(), OwnerKey: id, CreatedAt: time.Now(),
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
		r.must(r.RewrapOwnerKeys(b.Context(), func(int, int) {}))
	}
	b.ReportMetric(float64(users)*float64(b.N)/b.Elapsed().Seconds(), "owner-keys/s")
}

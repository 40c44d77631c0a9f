package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// failing is what a test has, be it of rapid's or not.
type failing interface {
	rapid.TB
	Context() context.Context
}

// A rotating is a database whose keys are rotated, stopped, and rotated again, beside what its
// users were answered.
type rotating struct {
	*vault.Service
	t  failing
	db *sqlite.DB
	// by id, those that were not destroyed; a service opens them on a goroutine of its own
	roots sync.Map
	users map[uuid.UUID]map[uuid.UUID]plaintext.Value
	ids   []uuid.UUID
	n     int
}

func (r *rotating) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// restart is what a crash leaves: the database, and nothing in the memory.
func (r *rotating) restart() {
	known, err := catalog.Load()
	r.must(err)
	r.Service = vault.New(vault.Options{
		Store:        r.db,
		Catalog:      known,
		MaxSecrets:   1000,
		KeepVersions: 3,
		KeyTTL:       time.Hour,
		Log:          slog.New(slog.DiscardHandler),
		OpenRoot: func(_ context.Context, k vault.StoredRootKey) (seal.RootKey, error) {
			if root, found := r.roots.Load(k.ID); found {
				return root.(seal.RootKey), nil
			}
			return nil, errors.New("it was destroyed")
		},
	})
	r.RotateInBatchesOf(2)
}

func (r *rotating) newRoot() seal.RootKey {
	r.n++
	root, err := seal.NewRootKey(bytes.Repeat([]byte{byte(r.n)}, seal.KeySize))
	r.must(err)
	r.roots.Store(root.ID(), root)
	return root
}

func (r *rotating) owner(id uuid.UUID) vault.Actor {
	return vault.Actor{User: id, Scopes: policy.UserScopes()}
}

func (r *rotating) newUser() {
	r.n++
	made, err := r.CreateUser(
		r.t.Context(),
		vault.Actor{User: r.ids[0], Scopes: policy.AllScopes()},
		fmt.Sprint("user-", r.n),
		"",
	)
	r.must(err)
	r.users[made.ID] = map[uuid.UUID]plaintext.Value{}
	r.ids = append(r.ids, made.ID)
}

func (r *rotating) newValue() plaintext.Value {
	r.n++
	return plaintext.FromString(fmt.Sprintf("a value of nobody, the one with the number %d", r.n))
}

func (r *rotating) write(user uuid.UUID) {
	r.n++
	value := r.newValue()
	made, err := r.CreateSecret(r.t.Context(), r.owner(user), fmt.Sprint("NAME_", r.n), "", value)
	r.must(err)
	r.users[user][made.ID] = value
	if r.n%2 == 0 {
		value = r.newValue()
		_, err := r.UpdateSecret(r.t.Context(), r.owner(user), made.ID, value)
		r.must(err)
		r.users[user][made.ID] = value
	}
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

// stopped is no failure of a rotation that was to be stopped.
func (r *rotating) stopped(err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		r.t.Fatal(err)
	}
}

func (r *rotating) retireSome() {
	keys, err := r.ListRootKeys(r.t.Context())
	r.must(err)
	for _, k := range keys {
		err := r.RetireRootKey(r.t.Context(), k.ID)
		if needed := k.State == vault.Primary ||
			k.OwnerKeys > 0; needed != (vault.KindOf(err) == vault.Conflict) {
			r.t.Fatalf("a %s root key that wraps %d: %v", k.State, k.OwnerKeys, err)
		}
		if err == nil {
			r.roots.Delete(k.ID) // and the operator destroys it
		}
	}
}

// assertAll opens everything with nothing in the memory.
func (r *rotating) assertAll() {
	r.restart()
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
			got, err := r.OpenSecret(ctx, r.owner(user), id)
			r.must(err)
			if !bytes.Equal(got.Reveal(), want.Reveal()) {
				r.t.Fatal("a value opens to another one")
			}
		}
		r.assertVerified(user)
	}
	r.assertVerified(r.instance())
}

// instance returns the id that owns the instance's chain.
func (r *rotating) instance() uuid.UUID {
	var ledger vault.Ledger
	r.must(r.db.View(r.t.Context(), func(tx vault.Reader) (err error) {
		ledger, err = tx.InstanceLedger(r.t.Context())
		return err
	}))
	return ledger.Owner
}

func (r *rotating) assertVerified(owner uuid.UUID) {
	r.must(r.db.View(r.t.Context(), func(tx vault.Reader) error {
		ledger, err := tx.Ledger(r.t.Context(), owner)
		if errors.Is(err, vault.ErrNotFound) {
			ledger, err = tx.InstanceLedger(r.t.Context())
		}
		if err != nil {
			return err
		}
		var failed error
		err = audit.Chain{}.Verify(owner, func(yield func(audit.Linked, error) bool) {
			failed = tx.AuditEntries(r.t.Context(), owner, func(e audit.Linked) error {
				if !yield(e, nil) {
					return errors.New("stopped")
				}
				return nil
			})
		}, ledger.Head)
		return errors.Join(err, failed)
	}))
}

// startRotating makes an empty database.
func startRotating(t failing, dir string) *rotating {
	db, err := sqlite.Open(t.Context(), filepath.Join(dir, "keysake.db"))
	if err != nil {
		t.Fatal(err)
	}
	r := &rotating{t: t, db: db, users: map[uuid.UUID]map[uuid.UUID]plaintext.Value{}}
	r.restart()
	return r
}

func TestNoOrderOfRotationsAndCrashesLosesAnything(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		r := startRotating(rt, dir)
		defer r.db.Close()
		r.must(r.AddRootKey(rt.Context(), r.newRoot(), "file:/root", ""))
		token, err := r.Bootstrap(rt.Context(), "admin", "first")
		r.must(err)
		admin, err := r.Authenticate(rt.Context(), token)
		r.must(err)
		r.ids, r.users[admin.User] = append(r.ids, admin.User), map[uuid.UUID]plaintext.Value{}
		for range 4 {
			r.newUser()
		}
		began := time.Now()
		some := func() uuid.UUID { return rapid.SampledFrom(r.ids).Draw(rt, "user") }
		steps := rapid.IntRange(0, 4)
		rt.Repeat(map[string]func(*rapid.T){
			"":            func(*rapid.T) {},
			"write":       func(*rapid.T) { r.write(some()) },
			"make a user": func(*rapid.T) { r.newUser() },
			"crash":       func(*rapid.T) { r.restart() },
			"another root key": func(*rapid.T) {
				root := r.newRoot()
				r.must(r.AddRootKey(rt.Context(), root, "file:/"+root.ID().String(), ""))
			},
			"rewrap a part": func(*rapid.T) {
				ctx, progress := r.until(steps.Draw(rt, "steps"))
				r.stopped(r.Rewrap(ctx, progress))
				r.restart()
			},
			"rewrap all": func(*rapid.T) {
				r.must(r.Rewrap(rt.Context(), func(int, int) {}))
			},
			"retire": func(*rapid.T) { r.retireSome() },
			"rotate one owner key": func(*rapid.T) {
				r.must(r.RotateOwnerKey(rt.Context(), some()))
			},
			"rotate some owner keys": func(*rapid.T) {
				ctx, progress := r.until(steps.Draw(rt, "steps"))
				r.stopped(r.RotateOwnerKeys(ctx, began, progress))
				r.restart()
			},
		})
		r.assertAll()
	})
}

func TestRotationsLeaveAuditEntries(t *testing.T) {
	r := startRotating(t, t.TempDir())
	defer r.db.Close()
	first, second := r.newRoot(), r.newRoot()
	r.must(r.AddRootKey(t.Context(), first, "file:/first", ""))
	_, err := r.Bootstrap(t.Context(), "admin", "first")
	r.must(err)
	admin, err := r.FindUser(t.Context(), "admin")
	r.must(err)
	for range 2 { // nothing of it is done twice
		r.must(r.AddRootKey(t.Context(), second, "file:/second", ""))
		r.must(r.Rewrap(t.Context(), func(int, int) {}))
		r.must(r.RetireRootKey(t.Context(), first.ID()))
	}
	r.must(r.RotateOwnerKey(t.Context(), admin))
	r.assertActions(
		r.instance(),
		policy.RootKeyAdd,
		policy.RootKeyAdd,
		policy.RootKeyRewrap,
		policy.RootKeyRetire,
	)
	r.assertActions(admin, policy.UserCreate, policy.APIKeyCreateFor, policy.OwnerKeyRotate)
	if err := r.RotateOwnerKey(t.Context(), uuid.New()); vault.KindOf(err) != vault.NotFound {
		t.Error(err)
	}
	if err := r.RetireRootKey(t.Context(), uuid.New()); vault.KindOf(err) != vault.NotFound {
		t.Error(err)
	}
}

func (r *rotating) assertActions(owner uuid.UUID, want ...policy.Action) {
	var got []policy.Action
	r.must(r.db.View(r.t.Context(), func(tx vault.Reader) error {
		return tx.AuditEntries(r.t.Context(), owner, func(e audit.Linked) error {
			got = append(got, policy.Action(e.Action))
			return nil
		})
	}))
	if fmt.Sprint(got) != fmt.Sprint(want) {
		r.t.Fatalf("recorded: %v", got)
	}
}

func TestARootKeyThatIsTheOneAlreadyMayHaveMoved(t *testing.T) {
	p := start(t, 200)
	if err := p.AddRootKey(t.Context(), p.root, "file:elsewhere.key", ""); err != nil {
		t.Fatal(err)
	}
	other := p.otherRoot()
	for _, step := range []struct {
		root seal.RootKey
		url  string
	}{{other, "file:other.key"}, {p.root, "file:back.key"}} {
		if err := p.AddRootKey(t.Context(), step.root, step.url, ""); err != nil {
			t.Fatal(err)
		}
		keys, err := p.ListRootKeys(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if k.State == vault.Primary && (k.ID != step.root.ID() || k.URL != step.url) {
				t.Errorf(
					"the primary is %s at %s, not %s at %s",
					k.ID,
					k.URL,
					step.root.ID(),
					step.url,
				)
			}
			if k.State == vault.Replaced && k.ID == p.root.ID() && k.URL != "file:elsewhere.key" {
				t.Errorf("the replaced one is remembered at %s", k.URL)
			}
		}
	}
}

package vault_test

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// warm has a vault keep in its memory what a key reads.
func (p *fixture) warm(key link, secret vault.Secret) {
	p.t.Helper()
	p.notice()
	for range 3 {
		p.authenticated(key.token)
		_, err := p.GetSecret(p.t.Context(), key.Actor, secret.ID)
		p.must(err)
		_, err = p.ListSecrets(p.t.Context(), key.Actor)
		p.must(err)
	}
}

// What another vault on the same store does is not in the memory of this one.
func TestWhatIsInTheMemoryCountsNoLongerThanItIsInTheDatabase(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	top, ann, _ := p.line("ann")
	other, operator := p.newVault()
	made := p.secret(ann.Actor, "FIRST", fake("x"))
	for i := range 20 {
		p.warm(ann, made)
		name := secretName(fmt.Sprint("NAME_", i))
		_, err := other.RenameSecret(ctx, ann.Actor, made.ID, name)
		p.must(err)
		one, err := p.GetSecret(ctx, ann.Actor, made.ID)
		p.must(err)
		all, err := p.ListSecrets(ctx, ann.Actor)
		p.must(err)
		if len(all) != 1 || all[0] != one || one.Name != fmt.Sprint("NAME_", i) {
			t.Errorf("it is %s, and of %d one", one.Name, len(all))
		}
	}
	p.warm(ann, made)
	p.must(operator.DisableUser(ctx, ann.User))
	p.assertInactive("the key of a user who was disabled", ann.token)
	_, err := p.GetSecret(ctx, ann.Actor, made.ID)
	assertKind(t, "a read", err, vault.Unauthenticated)
	p.must(operator.EnableUser(ctx, ann.User))
	p.warm(ann, made)
	p.must(other.DeleteSecret(ctx, ann.Actor, made.ID))
	_, err = p.GetSecret(ctx, ann.Actor, made.ID)
	assertKind(t, "a secret that was deleted", err, vault.NotFound)
	p.must(other.RevokeAPIKey(ctx, top, ann.id()))
	p.assertInactive("a key that was revoked", ann.token)
}

func TestARowThatWasChangedIsNotServedFromTheMemory(t *testing.T) {
	p := start(t)
	_, ann, _ := p.line("ann")
	made := p.secret(ann.Actor, "MINE", fake("x"))
	p.warm(ann, made)
	p.sql("UPDATE secrets SET name = 'OTHER'")
	_, err := p.GetSecret(t.Context(), ann.Actor, made.ID)
	assertTampered(t, "the secret", err)
	_, err = p.ListSecrets(t.Context(), ann.Actor)
	assertTampered(t, "the list", err)
}

func TestWhatAnotherProcessRevokedIsRefusedInTime(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	_, ann, _ := p.line("ann")
	made := p.secret(ann.Actor, "MINE", fake("x"))
	db := p.another()
	defer func() { p.must(db.Close()) }()
	other, operator := p.vaultOn(db)

	p.warm(ann, made)
	_, err := other.RenameSecret(ctx, ann.Actor, made.ID, secretName("OTHER"))
	p.must(err)
	time.Sleep(vault.NoticedWithin)
	one, err := p.GetSecret(ctx, ann.Actor, made.ID)
	p.must(err)
	if one.Name != "OTHER" {
		t.Errorf("it is still %s", one.Name)
	}
	p.warm(ann, made)
	p.must(operator.RotateOwnerKey(ctx, ann.User)) // also when nothing is to be noticed yet
	if _, err := p.GetSecret(ctx, ann.Actor, made.ID); err != nil {
		t.Errorf("after its owner key was rotated: %v", err)
	}
	p.warm(ann, made)
	p.must(operator.DisableUser(ctx, ann.User))
	time.Sleep(vault.NoticedWithin)
	p.assertInactive("the key", ann.token)
	_, err = p.GetSecret(ctx, ann.Actor, made.ID)
	assertKind(t, "a read", err, vault.Unauthenticated)
}

// Whatever takes access holds on every server. How long that took is printed, and not asserted.
func TestWhatAnotherServerTookIsRefused(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	db := p.another()
	defer func() { p.must(db.Close()) }()
	other, operator := p.vaultOn(db)
	boss := p.user("boss", policy.AllScopes()...)
	for what, c := range map[string]struct {
		take func(top vault.Actor, key link) error
		back func() error
		gone bool // with all that the user had, which may be noticed between the two steps below
	}{
		"a key that was revoked": {take: func(top vault.Actor, key link) error {
			return other.RevokeAPIKey(ctx, top, key.id())
		}},
		"a key that was replaced": {take: func(top vault.Actor, key link) error {
			return other.RevokeAPIKeyOnly(ctx, top, key.id())
		}},
		"a key above that was revoked": {take: func(top vault.Actor, _ link) error {
			return other.RevokeAPIKey(ctx, p.sibling(boss, top), top.Credential.ID)
		}},
		"a user who was disabled": {take: func(top vault.Actor, _ link) error {
			return operator.DisableUser(ctx, top.User)
		}},
		"a user who was deleted": {gone: true, take: func(top vault.Actor, _ link) error {
			return other.DeleteUser(ctx, boss, top.User)
		}},
		"a lockdown": {
			take: func(vault.Actor, link) error { return operator.LockDown(ctx) },
			back: func() error { return operator.LiftLockdown(ctx) },
		},
	} {
		top, key, _ := p.line("user-" + uuid.NewString()[:8])
		made := p.secret(key.Actor, "MINE", fake("x"))
		p.warm(key, made)
		p.must(c.take(top, key))
		began := time.Now()
		for {
			who, err := p.Authenticate(ctx, key.token)
			if err == nil {
				_, err = p.GetSecret(ctx, who, made.ID)
			}
			if kind := vault.KindOf(err); err != nil {
				if kind != vault.Unauthenticated && kind != vault.Unavailable &&
					(kind != vault.NotFound || !c.gone) {
					t.Errorf("%s: %v", what, err)
				}
				break
			}
		}
		t.Logf("%s is refused after %v", what, time.Since(began).Round(time.Millisecond))
		if c.back != nil {
			p.must(c.back())
			time.Sleep(time.Second)
		}
	}
}

// What is the case on one server is the case on another at once, if it lets nobody in or out.
func TestAnotherServerSeesAtOnceWhatOneHasAnswered(t *testing.T) {
	if !onPostgres {
		return // two servers share PostgreSQL only; see the test of what is noticed in time
	}
	p := start(t)
	ctx := t.Context()
	_, ann, _ := p.line("ann")
	made := p.secret(ann.Actor, "NAME", fake("x"))
	db := p.another()
	defer func() { p.must(db.Close()) }()
	other, operator := p.vaultOn(db)
	for i := range 20 {
		p.warm(ann, made)
		name := fmt.Sprint("NAME_", i)
		p.must2(other.RenameSecret(ctx, ann.Actor, made.ID, secretName(name)))
		one, err := p.GetSecret(ctx, ann.Actor, made.ID)
		if err != nil || one.Name != name {
			t.Errorf("it is %s, not %s (%v)", one.Name, name, err)
		}
		p.must2(other.CreateSecret(ctx, ann.Actor, custom(fmt.Sprint("MORE_", i), fake("y"))))
		if all, err := p.ListSecrets(ctx, ann.Actor); err != nil || len(all) != i+2 {
			t.Errorf("%d are listed, not %d (%v)", len(all), i+2, err)
		}
	}
	lease := p.lease(ann.Actor, made)
	p.must(operator.RotateOwnerKey(ctx, ann.User))
	p.must2(p.CreateSecret(ctx, ann.Actor, custom("LAST", fake("z"))))
	_, _, err := other.RevokeLease(ctx, ann.Actor, lease.ID)
	p.must(err)
	_, err = p.redeem(lease, "192.0.2.1")
	assertKind(t, "a lease that was revoked", err, vault.Unauthenticated)
}

// Who reads after a change was answered sees that change or a later one.
func TestNoReadIsOlderThanWhatWasAnsweredBeforeItBegan(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	_, ann, _ := p.line("ann")
	made := p.secret(ann.Actor, "NAME_0", fake("x"))
	p.warm(ann, made)
	var answered atomic.Int64
	var all sync.WaitGroup
	done := make(chan struct{})
	number := func(s vault.Secret) int64 {
		n, err := strconv.ParseInt(strings.TrimPrefix(s.Name, "NAME_"), 10, 64)
		if err != nil {
			t.Errorf("its name is %s", s.Name)
		}
		return n
	}
	for range 4 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				before := answered.Load()
				one, err := p.GetSecret(ctx, ann.Actor, made.ID)
				if err != nil || number(one) < before {
					t.Errorf("%s after %d was answered: %v", one.Name, before, err)
				}
				before = answered.Load()
				list, err := p.ListSecrets(ctx, ann.Actor)
				if err != nil || len(list) != 1 || number(list[0]) < before {
					t.Errorf("a list of %d after %d was answered: %v", len(list), before, err)
				}
			}
		})
	}
	for i := int64(1); i <= 100; i++ {
		_, err := p.RenameSecret(ctx, ann.Actor, made.ID, secretName(fmt.Sprint("NAME_", i)))
		p.must(err)
		answered.Store(i)
	}
	close(done)
	all.Wait()
}

// A reading is a store that counts what is asked of the database.
type reading struct {
	vault.Store
	asked atomic.Int64
}

func (r *reading) Read(ctx context.Context, fn func(vault.Reader) error) error {
	r.asked.Add(1)
	return r.Store.Read(ctx, fn)
}

func (r *reading) View(ctx context.Context, fn func(vault.Reader) error) error {
	r.asked.Add(1)
	return r.Store.View(ctx, fn)
}

func TestWhatAVaultChangedItselfIsNotReadToAuthenticate(t *testing.T) {
	p := start(t)
	_, ann, _ := p.line("ann")
	store := &reading{Store: p.db}
	own, _ := p.vaultOn(store)
	// Now and then the store has not looked for other processes lately, and the database is asked.
	for i := range 100 {
		_, err := own.CreateSecret(t.Context(), ann.Actor, custom(fmt.Sprint("N", i), fake("x")))
		p.must(err)
		before := store.asked.Load()
		_, err = own.Authenticate(t.Context(), ann.token)
		p.must(err)
		if i > 0 && store.asked.Load() == before {
			return
		}
	}
	t.Error("each time the database was asked")
}

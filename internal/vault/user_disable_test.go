package vault_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func TestADisabledUserIsOutAtOnceAndInAgainWhenEnabled(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	boss := p.user("boss", policy.AllScopes()...)
	child := p.child(boss)
	cy, err := p.CreateUser(ctx, boss, userRequest("cy"))
	p.must(err)
	_, cys, err := p.CreateAPIKeyFor(ctx, boss, cy.ID, keyRequest("secrets:read"))
	p.must(err)
	ben := p.child(p.user("ben"))
	mine := p.secret(boss, "MINE", fake("x"))
	other, _ := p.newVault()
	_, err = other.Authenticate(ctx, child.token)
	p.must(err)

	p.must(p.Service.DisableUser(ctx, p.admin, boss.User))
	p.assertInactive("a key of the user", child.token)
	p.assertInactive("one that the user's made for another", cys)
	_, err = other.Authenticate(ctx, child.token)
	assertKind(t, "in another process", err, vault.Unauthenticated)
	p.authenticated(ben.token)
	for action, try := range p.useCases() {
		assertKind(t, string(action)+" by who got in before", try(boss, ben.User),
			vault.Unauthenticated)
	}
	if !p.listed(boss.User).Disabled || p.listed(boss.User).Admin || p.listed(ben.User).Disabled {
		t.Error("the list does not show who is disabled")
	}
	p.must(p.Service.DisableUser(ctx, p.admin, boss.User)) // changes nothing

	p.must(p.Service.EnableUser(ctx, p.admin, boss.User))
	p.authenticated(child.token)
	p.authenticated(cys)
	if _, err = other.Authenticate(ctx, child.token); err != nil {
		t.Errorf("in another process: %v", err)
	}
	if p.listed(boss.User).Disabled || !p.listed(boss.User).Admin {
		t.Error("the list shows a user as disabled who was enabled")
	}
	p.assertOpens(boss, mine.ID, fake("x"))
	p.must(p.Service.EnableUser(ctx, p.admin, boss.User)) // changes nothing
	p.assertChain(boss.User)
}

// listed returns a user as the admin sees them.
func (p *fixture) listed(id uuid.UUID) vault.User {
	p.t.Helper()
	users, err := p.ListUsers(p.t.Context(), p.admin)
	p.must(err)
	for _, u := range users {
		if u.ID == id {
			return u
		}
	}
	p.t.Fatal("the user is not listed")
	return vault.User{}
}

func TestNobodyDisablesThemselvesButTheOperatorDisablesAnybody(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	assertKind(t, "oneself", p.Service.DisableUser(ctx, p.admin, p.admin.User), vault.Conflict)
	_, err := p.WhoAmI(ctx, p.admin)
	p.must(err)

	got := p.newEntries(p.admin.User, func() {
		p.must(p.Operator.DisableUser(ctx, p.admin.User))
		_, err := p.WhoAmI(ctx, p.admin)
		assertKind(t, "the only admin", err, vault.Unauthenticated)
		p.must(p.Operator.EnableUser(ctx, p.admin.User))
	})
	p.assertEntries(got,
		done(p.admin.User, vault.Actor{}, policy.UserDisable, p.admin.User, "admin", 0),
		done(p.admin.User, vault.Actor{}, policy.UserEnable, p.admin.User, "admin", 0))
	_, err = p.WhoAmI(ctx, p.admin)
	p.must(err)
	err = p.Operator.DisableUser(ctx, uuid.New())
	if !errors.Is(err, vault.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

func TestAnAdminWhoIsDisabledDisablesAndEnablesNobody(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	boss := p.user("boss", policy.AllScopes()...)
	p.must(p.Service.DisableUser(ctx, p.admin, boss.User))
	assertKind(t, "the other", p.Service.DisableUser(ctx, boss, p.admin.User),
		vault.Unauthenticated)
	assertKind(t, "themselves", p.Service.EnableUser(ctx, boss, boss.User), vault.Unauthenticated)
	if p.listed(p.admin.User).Disabled || !p.listed(boss.User).Disabled {
		t.Error("it was done")
	}
}

func TestADisabledUserGetsNoAPIKey(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	p.must(p.Service.DisableUser(ctx, p.admin, ann.User))
	_, _, err := p.CreateAPIKeyFor(ctx, p.admin, ann.User, vault.APIKeyRequest{})
	assertKind(t, "by the admin", err, vault.Conflict)
	_, err = p.CreateAdmin(ctx, username("ann"), keyName("new"))
	assertKind(t, "by the operator", err, vault.Conflict)
}

func TestADisabledUserIsDeletedAndForgotten(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	p.must(p.Service.DisableUser(t.Context(), p.admin, ann.User))
	p.must(p.Service.DeleteUser(t.Context(), p.admin, ann.User))
	p.assertDeletedChain(ann.User)
	ledger, _, err := p.LedgerOf(t.Context(), uuid.Nil)
	p.must(err)
	if ledger.APIKeys.Has(ann.User[:]) || !ledger.Leases.HasPrefix(ann.User[:]) {
		t.Error("the instance's ledger lists the user as disabled")
	}
}

// The database cannot enable a user: neither with the user's ledger of before, nor with the
// instance's.
func TestTheLedgerOfBeforeAUserWasDisabledDoesNotCount(t *testing.T) {
	s := newScene(t)
	ctx := t.Context()
	_, token := s.newKey(s.ann, vault.APIKeyRequest{})
	s.besides("CREATE TABLE copied.before AS SELECT * FROM users")
	s.must(s.Service.DisableUser(ctx, s.admin, s.ann.User))
	s.assertInactive("her key", token)
	s.besides("UPDATE users SET (number, ledger) = " +
		"(SELECT number, ledger FROM copied.before WHERE before.id = users.id)")
	_, err := s.Authenticate(ctx, token)
	assertTampered(t, "with her ledger of before", err)
	s.restart()
	_, err = s.Authenticate(ctx, token)
	assertTampered(t, "after a restart", err)
	ledger, _, err := s.LedgerOf(ctx, uuid.Nil)
	s.must(err)
	if ledger.State != anchor.Active || !ledger.APIKeys.Has(s.ann.User[:]) {
		t.Error("the instance's ledger does not list her")
	}
}

// On a full disk these may use the room that is kept for them: asked again, they use none.
func TestWhatTakesAwayAndIsDoneAlreadyIsNotWrittenAgain(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann, bea, eve := p.user("ann"), p.user("bea"), p.user("eve")
	one := p.secret(ann, "ONE", fake("1"))
	open, used := p.lease(ann, one), p.lease(ann, one)
	p.must(second(p.redeem(used, "192.0.2.1")))
	revoke := func(id uuid.UUID) error {
		l, delivered, err := p.RevokeLease(ctx, ann, id)
		if l.State != vault.LeaseRevoked || delivered != (id == used.ID) {
			t.Errorf("it is %s, delivered: %v", l.State, delivered)
		}
		return err
	}
	for what, do := range map[string]func() error{
		"a ticket that is revoked":    func() error { return revoke(open.ID) },
		"a lease that is revoked":     func() error { return revoke(used.ID) },
		"a user who is disabled":      func() error { return p.Service.DisableUser(ctx, p.admin, bea.User) },
		"a user who is to be deleted": func() error { return p.Service.DeleteUserLater(ctx, p.admin, eve.User) },
		"by the operator":             func() error { return p.Operator.DisableUser(ctx, bea.User) },
	} {
		p.must(do())
		p.clock.forward(time.Second)
		p.unchanged(what, func() { p.must(do()) })
	}
}

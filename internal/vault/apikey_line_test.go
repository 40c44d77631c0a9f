package vault_test

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// A link is a key of a line: who calls with it, and its token.
type link struct {
	vault.Actor

	token plaintext.Value
}

func (l link) id() uuid.UUID { return l.Credential.ID }

// makers are what a key in the middle of a line needs.
var makers = policy.UserScopes()

// child makes a key below another one.
func (p *fixture) child(of vault.Actor) link {
	p.t.Helper()
	_, token := p.newKey(of, keyRequest(texts(makers)...))
	return link{p.authenticated(token), token}
}

// line makes a user with a key, a key that it made, and one that this made.
func (p *fixture) line(name string) (top vault.Actor, child, grandchild link) {
	p.t.Helper()
	top = p.user(name)
	child = p.child(top)
	return top, child, p.child(child.Actor)
}

func TestWhateverEndsAKeyEndsWhatItMade(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	for name, end := range map[string]func(top vault.Actor, child link){
		"revocation": func(top vault.Actor, child link) {
			p.must(p.RevokeAPIKey(ctx, top, child.id()))
		},
		"revocation by itself": func(_ vault.Actor, child link) {
			child.SelfRevoke = true
			p.must(p.RevokeSelf(ctx, child.Actor))
		},
		"expiry, moved in the database": func(_ vault.Actor, child link) {
			p.sql("UPDATE api_keys SET expires_at = 1 WHERE id = ?", child.id().String())
		},
		"loss of its row": func(_ vault.Actor, child link) {
			p.sql("DELETE FROM api_keys WHERE id = ?", child.id().String())
		},
	} {
		top, child, grandchild := p.line("user-" + uuid.NewString()[:8])
		last := p.child(grandchild.Actor)
		beside := p.child(top)
		end(top, child)
		for what, l := range map[string]link{
			"child": child, "grandchild": grandchild, "last": last,
		} {
			if name == "expiry, moved in the database" {
				_, err := p.Authenticate(ctx, l.token)
				assertTampered(t, name+": "+what, err)
				continue
			}
			p.assertInactive(name+": "+what, l.token)
		}
		p.authenticated(beside.token)
		_, _, err := p.CreateAPIKey(ctx, grandchild.Actor, vault.APIKeyRequest{})
		if name == "expiry, moved in the database" {
			assertTampered(t, name+": a new key by who got in before it", err)
			continue
		}
		assertKind(t, name+": a new key by who got in before it", err, vault.Unauthenticated)
	}
}

func TestTheKeysThatAnAdminsKeyMadeForOthersEndWithIt(t *testing.T) {
	p := start(t)
	boss := p.user("boss", policy.AllScopes()...)
	made, err := p.CreateUser(t.Context(), boss, userRequest("cy"))
	p.must(err)
	_, token, err := p.CreateAPIKeyFor(t.Context(), boss, made.ID, keyRequest("secrets:read"))
	p.must(err)
	p.authenticated(token)
	p.must(p.Service.DeleteUser(t.Context(), p.admin, boss.User))
	p.assertInactive("made for another, of a deleted admin", token)
}

func TestARevocationWritesOneRow(t *testing.T) {
	p := start(t)
	top, child, _ := p.line("ann")
	p.must(p.RevokeAPIKey(t.Context(), top, child.id()))
	var n int
	p.sqlRow("SELECT COUNT(*) FROM api_keys WHERE revoked_at IS NOT NULL", nil, &n)
	if n != 1 {
		t.Errorf("%d rows say that they are revoked", n)
	}
	listed, err := p.ListAPIKeys(t.Context(), top)
	if err != nil || len(listed) != 3 || listed[0].Active || listed[1].Active ||
		!listed[2].Active {
		t.Errorf("the list does not say which keys are active (%v)", err)
	}
	if listed[2].Parent != uuid.Nil || listed[1].Parent != top.Credential.ID {
		t.Error("the list shows the admin's key, or not what made a key")
	}
}

func TestNoKeyOutlivesItsMaker(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	end := p.clock.last().Add(time.Hour)
	request := keyRequest("keys:write", "admin")
	request.ExpiresAt = must(vault.NewExpiry(end))
	_, token := p.newKey(p.admin, request)
	maker := p.authenticated(token)
	for action, make := range map[policy.Action]func(vault.APIKeyRequest) (vault.APIKey, error){
		policy.APIKeyCreate: func(in vault.APIKeyRequest) (vault.APIKey, error) {
			key, _, err := p.CreateAPIKey(t.Context(), maker, in)
			return key, err
		},
		policy.APIKeyCreateFor: func(in vault.APIKeyRequest) (vault.APIKey, error) {
			key, _, err := p.CreateAPIKeyFor(t.Context(), maker, ann.User, in)
			return key, err
		},
	} {
		for in, want := range map[vault.Expiry]time.Time{
			{}:                         end,
			must(vault.NewExpiry(end)): end,
			must(vault.NewExpiry(end.Add(-1 * time.Minute))): end.Add(-time.Minute),
		} {
			key, err := make(vault.APIKeyRequest{ExpiresAt: in})
			if err != nil || !key.ExpiresAt.Equal(want) {
				t.Errorf("%s: expires at %v, want %v (%v)", action, key.ExpiresAt, want, err)
			}
		}
		got := p.newEntries(maker.User, func() {
			_, err := make(expiring(end.Add(time.Microsecond)))
			assertKind(t, "a microsecond longer", err, vault.Denied)
		})
		p.assertEntries(got, refused(maker, action))
	}
}

func TestAKeyRevokesOnlyWhatItCouldHaveMade(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	top, child, grandchild := p.line("ann")
	wide, token := p.newKey(top, keyRequest("secrets:write", "secrets:read"))
	narrow := with(child.Actor, policy.KeysWrite, policy.SecretsRead)
	for action, revoke := range map[policy.Action]func(vault.Actor, uuid.UUID) error{
		policy.APIKeyRevoke: func(who vault.Actor, id uuid.UUID) error {
			return p.RevokeAPIKey(ctx, who, id)
		},
		policy.APIKeyRevokeOnly: func(who vault.Actor, id uuid.UUID) error {
			return p.RevokeAPIKeyOnly(ctx, who, id)
		},
	} {
		got := p.newEntries(top.User, func() {
			assertKind(t, "a key with more scopes", revoke(narrow, wide.ID), vault.Denied)
			assertKind(t, "itself", revoke(grandchild.Actor, grandchild.id()), vault.Denied)
			assertKind(t, "its maker", revoke(grandchild.Actor, child.id()), vault.Denied)
			assertKind(t, "the first", revoke(grandchild.Actor, top.Credential.ID), vault.Denied)
			p.must(p.FlushRefusals(ctx, true))
		})
		p.assertEntries(got, refused(narrow, action), refused(grandchild.Actor, action),
			moreRefused(grandchild.Actor, action, 2))
	}
	p.authenticated(token)
	p.authenticated(grandchild.token)
	leave := child.Actor
	leave.SelfRevoke = true
	p.must(p.RevokeAPIKey(ctx, leave, leave.Credential.ID))
	p.assertInactive("below one that ended itself", grandchild.token)
}

// A thief with a leaked key would make another one with it, and then take that out of the line.
func TestAKeyCannotLeaveItsLine(t *testing.T) {
	p := start(t)
	top, leaked, thiefs := p.line("ann")
	for _, who := range []vault.Actor{leaked.Actor, thiefs.Actor} {
		who.SelfRevoke = true
		err := p.RevokeAPIKeyOnly(t.Context(), who, leaked.id())
		assertKind(t, "out of its line", err, vault.Denied)
	}
	p.must(p.RevokeAPIKey(t.Context(), top, leaked.id()))
	p.assertInactive("made by the thief", thiefs.token)
}

func TestAReplacedKeyLeavesWhatItMadeToItsMaker(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	top, old, grandchild := p.line("ann")
	last := p.child(grandchild.Actor)
	p.must(p.RevokeAPIKeyOnly(ctx, top, old.id()))
	p.assertInactive("replaced", old.token)
	p.authenticated(grandchild.token)
	p.authenticated(last.token)

	// the operator's own key is replaced by one that the operator made
	token, err := p.CreateAdmin(ctx, username("admin"), keyName("second"))
	p.must(err)
	second := p.authenticated(token)
	p.must(p.RevokeAPIKeyOnly(ctx, second, p.admin.Credential.ID))
	for _, l := range []link{grandchild, last} {
		p.authenticated(l.token)
	}
	// and what went on still ends with what is above it
	p.must(p.RevokeAPIKey(ctx, p.sibling(second, top), top.Credential.ID))
	for _, l := range []link{grandchild, last} {
		p.assertInactive("below the first", l.token)
	}
}

// sibling makes another key for a user.
func (p *fixture) sibling(admin, of vault.Actor) vault.Actor {
	p.t.Helper()
	_, token, err := p.CreateAPIKeyFor(
		p.t.Context(), admin, of.User, keyRequest(texts(of.Scopes)...))
	p.must(err)
	return p.authenticated(token)
}

func TestAKeyMadeWhileItsMakerIsRevokedDoesNotOutliveIt(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	top := p.user("ann")
	for round := range 20 {
		maker := p.child(top)
		revoke := p.RevokeAPIKey
		if round%2 == 1 {
			revoke = p.RevokeAPIKeyOnly
		}
		var wg sync.WaitGroup
		var key vault.APIKey
		var token plaintext.Value
		var made, revoked error
		wg.Go(func() {
			key, token, made = p.CreateAPIKey(ctx, maker.Actor, keyRequest("secrets:read"))
		})
		wg.Go(func() { revoked = revoke(ctx, top, maker.id()) })
		wg.Wait()
		p.must(revoked)
		if made != nil {
			assertKind(t, "a key by a revoked one", made, vault.Unauthenticated)
			continue
		}
		if round%2 == 0 {
			p.assertInactive("made while its maker was revoked", token)
			continue
		}
		var parent string
		p.sqlRow("SELECT parent_id FROM api_keys WHERE id = ?", []any{key.ID.String()}, &parent)
		if parent != top.Credential.ID.String() {
			t.Error("a key that went on is not below its maker's maker")
		}
	}
}

func TestACircleInTheDatabaseEndsAndLetsNoOneIn(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	_, child, grandchild := p.line("ann")
	p.sql("UPDATE api_keys SET parent_id = ? WHERE id = ?", grandchild.id().String(),
		child.id().String())
	for _, when := range []string{"as it was verified before", "after a restart"} {
		for _, l := range []link{child, grandchild} {
			_, err := p.Authenticate(ctx, l.token)
			assertTampered(t, "in a circle, "+when, err)
		}
		p.restart()
	}
	_, _, err := p.CreateAPIKey(ctx, grandchild.Actor, vault.APIKeyRequest{})
	assertTampered(t, "a new key", err)
	if _, err := p.ListUsers(ctx, p.admin); err != nil {
		t.Errorf("users: %v", err)
	}
}

func TestALineHasTenKeys(t *testing.T) {
	p := start(t)
	who := p.user("ann") // the second: the admin's is the first
	for range 8 {
		who = p.child(who).Actor
	}
	got := p.newEntries(who.User, func() {
		_, _, err := p.CreateAPIKey(t.Context(), who, vault.APIKeyRequest{})
		assertKind(t, "the eleventh", err, vault.Denied)
	})
	p.assertEntries(got, refused(who, policy.APIKeyCreate))
}

func TestTheOperatorsKeysAreBelowNone(t *testing.T) {
	p := start(t)
	var n int
	p.sqlRow("SELECT COUNT(*) FROM api_keys WHERE parent_id = ''", nil, &n)
	if n != 1 {
		t.Errorf("%d keys have no parent", n)
	}
	p.assertEntries(p.chain(p.admin.User)[1:],
		done(p.admin.User, vault.Actor{}, policy.APIKeyCreateFor, p.admin.Credential.ID, "first",
			0))
	_, _, err := p.CreateAPIKey(t.Context(), vault.Actor{
		User: p.admin.User, Scopes: policy.AllScopes(),
		Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: uuid.Nil},
	}, vault.APIKeyRequest{})
	assertKind(t, "a key by no key", err, vault.Unauthenticated)
}

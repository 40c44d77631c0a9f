package vault_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// signedIn makes a session of a user, by a link of the admin.
func (p *fixture) signedIn(user uuid.UUID) (vault.Session, plaintext.Value) {
	p.t.Helper()
	_, link, err := p.CreateSignInLink(p.t.Context(), p.admin, user)
	p.must(err)
	session, token, err := p.SignIn(p.t.Context(), link, netip.Addr{})
	p.must(err)
	return session, token
}

func (p *fixture) assertNoSession(what string, token plaintext.Value) {
	p.t.Helper()
	_, err := p.AuthenticateSession(p.t.Context(), token)
	assertKind(p.t, what, err, vault.Unauthenticated)
}

func TestALinkSignsItsUserInOnce(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	_, link, err := p.CreateSignInLink(ctx, p.admin, ann.User)
	p.must(err)
	for range 2 { // to look at it does not use it
		user, err := p.LinkUser(ctx, link)
		if err != nil || user.Username != "ann" {
			t.Fatalf("the link is of %q (%v)", user.Username, err)
		}
	}
	session, token, err := p.SignIn(ctx, link, netip.Addr{})
	p.must(err)
	_, _, err = p.SignIn(ctx, link, netip.Addr{})
	assertKind(t, "a second time", err, vault.Unauthenticated)
	_, err = p.LinkUser(ctx, link)
	assertKind(t, "looking at a used link", err, vault.Unauthenticated)
	got, err := p.AuthenticateSession(ctx, token)
	if err != nil || got.User != ann.User || got.Credential != session.Credential ||
		got.Credential.Kind != audit.CredentialSession ||
		slices.Contains(got.Scopes, policy.Admin) {
		t.Errorf("the session is of %+v (%v)", got, err)
	}
	self, _ := p.signedIn(p.admin.User)
	if !slices.Contains(self.Scopes, policy.Admin) {
		t.Error("an admin's own link makes no admin")
	}
}

func TestALinkOfOnesOwnGivesNoMoreThanTheKeyThatMadeItAndEndsWithIt(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	for what, c := range map[string]struct {
		maker vault.Actor
		want  []policy.Scope
	}{
		"all of a user's": {ann, policy.UserScopes()},
		"few":             {p.maker(ann, "keys:write", "audit:read"), []policy.Scope{policy.KeysWrite, policy.AuditRead}},
		"an admin's":      {p.admin, policy.AllScopes()},
		"without admin":   {p.maker(p.admin, "keys:write"), []policy.Scope{policy.KeysWrite}},
	} {
		row, link, err := p.CreateOwnSignInLink(ctx, c.maker)
		p.must(err)
		session, token, err := p.SignIn(ctx, link, netip.Addr{})
		p.must(err)
		if session.User != c.maker.User || !slices.Equal(session.Scopes, c.want) ||
			row.Parent != c.maker.Credential.ID {
			t.Errorf("%s: the session is %+v", what, session)
		}
		_, _, err = p.SignIn(ctx, link, netip.Addr{})
		assertKind(t, what+": a second time", err, vault.Unauthenticated)
		if what == "few" {
			p.must(p.RevokeAPIKey(ctx, ann, c.maker.Credential.ID))
			p.assertNoSession("after its maker", token)
		}
	}
	_, _, err := p.CreateOwnSignInLink(ctx, p.maker(p.admin, "admin", "secrets:read"))
	assertKind(t, "without keys:write", err, vault.Denied)
}

// maker is who has a key that somebody made for themselves.
func (p *fixture) maker(of vault.Actor, scopes ...string) vault.Actor {
	p.t.Helper()
	_, token := p.newKey(of, keyRequest(scopes...))
	return p.authenticated(token)
}

func TestATokenOfOneKindIsNoneOfAnother(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	_, link, err := p.CreateSignInLink(ctx, p.admin, p.admin.User)
	p.must(err)
	_, session := p.signedIn(p.admin.User)
	_, key := p.newKey(p.admin, vault.APIKeyRequest{})
	for name, token := range map[string]plaintext.Value{"link": link, "session": session} {
		p.assertInactive(name+" as an API key", token)
	}
	p.assertNoSession("a link as a session", link)
	p.assertNoSession("an API key as a session", key)
	for name, token := range map[string]plaintext.Value{"session": session, "API key": key} {
		_, _, err := p.SignIn(ctx, token, netip.Addr{})
		assertKind(t, name+" as a link", err, vault.Unauthenticated)
	}
	keys, err := p.ListAPIKeys(ctx, p.admin)
	if err != nil || len(keys) != 2 {
		t.Errorf("%d API keys are listed with a link and a session (%v)", len(keys), err)
	}
}

func TestASessionEndsByTimeByHandAndWithWhatMadeIt(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	_, link, err := p.CreateSignInLink(ctx, p.admin, ann.User)
	p.must(err)
	p.clock.forward(vault.LinkTime)
	_, _, err = p.SignIn(ctx, link, netip.Addr{})
	assertKind(t, "an old link", err, vault.Unauthenticated)

	_, idle := p.signedIn(ann.User)
	p.clock.forward(vault.SessionIdle)
	p.assertNoSession("not used for long", idle)
	p.must(p.FlushLastUsed(ctx, true))
	p.assertNoSession("a request that was refused is no use", idle)

	_, busy := p.signedIn(ann.User)
	for range int(vault.SessionTime/vault.SessionIdle)*2 - 1 {
		p.clock.forward(vault.SessionIdle / 2)
		if _, err := p.AuthenticateSession(ctx, busy); err != nil {
			t.Fatalf("a session in use ended: %v", err)
		}
		p.must(p.FlushLastUsed(ctx, true)) // the memory of one server is not that of another
	}
	p.clock.forward(vault.SessionIdle / 2)
	p.assertNoSession("after its time, however busy", busy)

	session, out := p.signedIn(ann.User)
	p.must(p.RevokeSelf(ctx, session.Actor))
	p.assertNoSession("signed out", out)
	session, ended := p.signedIn(ann.User)
	p.must(p.EndSession(ctx, ann, session.Credential.ID))
	p.assertNoSession("ended", ended)

	_, orphan := p.signedIn(ann.User)
	p.must(p.Service.DisableUser(ctx, p.admin, ann.User))
	p.assertNoSession("of a disabled user", orphan)
	boss := p.user("boss", policy.AllScopes()...)
	bosses := p.child(p.admin)
	_, link, err = p.CreateSignInLink(ctx, boss, boss.User)
	p.must(err)
	_, token, err := p.SignIn(ctx, link, netip.Addr{})
	p.must(err)
	p.must(p.Service.DeleteUser(ctx, p.admin, boss.User))
	p.assertNoSession("of a deleted user", token)
	p.authenticated(bosses.token)
}

func TestALookKeepsNoSessionFromEnding(t *testing.T) {
	p := start(t)
	_, token := p.signedIn(p.user("ann").User)
	for range 2 {
		if _, err := p.LookAtSession(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		p.clock.forward(vault.SessionIdle / 2)
	}
	_, err := p.LookAtSession(t.Context(), token)
	assertKind(t, "an idle session that is looked at", err, vault.Unauthenticated)
	p.assertNoSession("an idle session that was looked at", token)
}

func TestWhatASessionMakesOutlivesItAndEndsWithWhatMadeTheSession(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	maker := p.child(p.admin)
	_, err := p.CreateUser(ctx, p.admin, userRequest("ann"))
	p.must(err)
	_, adminToken := p.newKey(p.admin, keyRequest(texts(policy.AllScopes())...))
	admin := p.authenticated(adminToken)
	_, link, err := p.CreateSignInLink(ctx, admin, p.admin.User)
	p.must(err)
	session, _, err := p.SignIn(ctx, link, netip.Addr{})
	p.must(err)
	key, token, err := p.CreateAPIKey(ctx, session.Actor, vault.APIKeyRequest{})
	p.must(err)
	if key.Parent != admin.Credential.ID || !key.ExpiresAt.IsZero() {
		t.Errorf("the key is a child of %v and ends at %v", key.Parent, key.ExpiresAt)
	}
	p.must(p.RevokeSelf(ctx, session.Actor))
	p.authenticated(token)
	p.must(p.RevokeAPIKey(ctx, p.admin, admin.Credential.ID))
	p.assertInactive("made in a session of a revoked key", token)
	p.authenticated(maker.token)
}

func TestOnlyTheNewestSessionsOfAUserStayOpen(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	_, first := p.signedIn(ann.User)
	var last plaintext.Value
	for range 20 {
		_, last = p.signedIn(ann.User)
	}
	p.assertNoSession("the oldest of 21", first)
	if _, err := p.AuthenticateSession(t.Context(), last); err != nil {
		t.Errorf("the newest: %v", err)
	}
	p.clock.forward(vault.SessionTime)
	p.signedIn(ann.User)
	var n int
	p.sqlRow("SELECT COUNT(*) FROM api_keys WHERE kind <> ''", nil, &n)
	if n != 1 {
		t.Errorf("%d rows of sessions are kept", n)
	}
}

func TestTheDatabaseSignsNobodyIn(t *testing.T) {
	ended := []any{nil}
	for name, attack := range map[string]func(p *fixture, session vault.Session){
		"another kind": func(p *fixture, _ vault.Session) {
			p.sql("UPDATE api_keys SET kind = 'sign-in-link' WHERE kind = 'session'")
		},
		"a longer time": func(p *fixture, _ vault.Session) {
			p.sql("UPDATE api_keys SET expires_at = expires_at + 1 WHERE kind = 'session'")
		},
		"another user": func(p *fixture, _ vault.Session) {
			p.sql("UPDATE api_keys SET user_id = ? WHERE kind = 'session'", p.admin.User.String())
		},
		"more scopes": func(p *fixture, _ vault.Session) {
			p.sql("UPDATE api_keys SET scopes = scopes || ' admin' WHERE kind = 'session'")
		},
		"put back after its end": func(p *fixture, s vault.Session) {
			p.must(p.RevokeSelf(t.Context(), s.Actor))
			p.sql("UPDATE api_keys SET revoked_at = ? WHERE kind = 'session'", ended...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			ann := p.user("ann")
			session, token := p.signedIn(ann.User)
			attack(p, session)
			p.restart()
			_, err := p.AuthenticateSession(t.Context(), token)
			assertTampered(t, name, err)
		})
	}
	t.Run("used a moment ago, as a row says", func(t *testing.T) {
		p := start(t)
		_, token := p.signedIn(p.user("ann").User)
		_, err := p.AuthenticateSession(t.Context(), token)
		p.must(err)
		p.must(p.FlushLastUsed(t.Context(), true))
		p.clock.forward(vault.SessionTime)
		p.sql("UPDATE api_key_uses SET at = ?", p.clock.last().UnixMicro())
		p.assertNoSession("kept in use", token)
	})
}

func TestALinkOfALockedDownInstanceSignsNobodyIn(t *testing.T) {
	p := start(t)
	_, link, err := p.CreateSignInLink(t.Context(), p.admin, p.admin.User)
	p.must(err)
	open, _ := p.signedIn(p.admin.User)
	p.must(p.LockDown(t.Context()))
	p.clock.forward(time.Minute)
	_, _, err = p.SignIn(t.Context(), link, netip.Addr{})
	assertKind(t, "in a lockdown", err, vault.Unavailable)
	p.must(p.RevokeSelf(t.Context(), open.Actor))
}

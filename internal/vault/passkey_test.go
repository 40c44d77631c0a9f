package vault_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// touched returns an answer of a passkey that its authenticator gives for a new challenge.
func touched(k vault.Passkey) vault.PasskeyAnswer {
	return vault.PasskeyAnswer{
		Credential: k.Terms.Credential, User: k.User[:], Counter: k.Terms.Counter,
		Attempt: sha256.Sum256([]byte(uuid.NewString())),
		Verify: func(key []byte) error {
			if !bytes.Equal(key, k.Terms.PublicKey) {
				return errors.New("another key has signed")
			}
			return nil
		},
	}
}

// counted is touched for an authenticator that counts.
func counted(k vault.Passkey, to uint32) vault.PasskeyAnswer {
	a := touched(k)
	a.Counter = to
	return a
}

// linked returns a session of a user that a link of the admin opened.
func (p *fixture) linked(who vault.Actor) (vault.Session, plaintext.Value) {
	p.t.Helper()
	_, link, err := p.CreateSignInLink(p.t.Context(), p.admin, who.User)
	p.must(err)
	session, token, err := p.SignIn(p.t.Context(), link, netip.Addr{})
	p.must(err)
	return session, token
}

func newTerms(counter uint32) vault.PasskeyTerms {
	id, key := uuid.New(), uuid.New()
	return vault.PasskeyTerms{Credential: id[:], PublicKey: key[:], Counter: counter}
}

// passkey adds one in a session.
func (p *fixture) passkey(in vault.Session, counter uint32) vault.Passkey {
	p.t.Helper()
	k, err := p.AddPasskey(p.t.Context(), in.Actor, keyName("laptop"), newTerms(counter))
	p.must(err)
	return k
}

func (p *fixture) comesBy(a vault.PasskeyAnswer) (vault.Session, plaintext.Value) {
	p.t.Helper()
	session, token, err := p.SignInByPasskey(p.t.Context(), a, netip.Addr{})
	p.must(err)
	return session, token
}

// assertLocked checks that an answer of a passkey opens nothing.
func (p *fixture) assertLocked(what string, a vault.PasskeyAnswer, want vault.Kind) {
	p.t.Helper()
	_, token, err := p.SignInByPasskey(p.t.Context(), a, netip.Addr{})
	assertKind(p.t, what, err, want)
	if token.Len() > 0 {
		p.t.Errorf("%s: refused, and yet there is a token", what)
	}
}

func TestAPasskeyOpensASessionOfItsUserWhoIsNoAdmin(t *testing.T) {
	p := start(t)
	first, _ := p.linked(p.admin)
	if !slices.Contains(first.Scopes, policy.Admin) {
		t.Fatal("the link of an admin opens a session of none")
	}
	var k vault.Passkey
	added := p.newEntries(p.admin.User, func() { k = p.passkey(first, 0) })
	if len(added) != 1 || added[0].Action != "passkey.add" || added[0].Target.ID != k.ID {
		t.Errorf("it is recorded as %+v", added)
	}
	var session vault.Session
	var token plaintext.Value
	opened := p.newEntries(p.admin.User, func() { session, token = p.comesBy(touched(k)) })
	if len(opened) != 1 || opened[0].Action != "session.create" ||
		opened[0].Credential != (audit.Credential{Kind: audit.CredentialPasskey, ID: k.ID}) {
		t.Errorf("the sign-in is recorded as %+v", opened)
	}
	got, err := p.AuthenticateSession(t.Context(), token)
	if err != nil || got.User != p.admin.User || slices.Contains(got.Scopes, policy.Admin) ||
		!slices.Contains(got.Scopes, policy.KeysWrite) {
		t.Errorf("the session is %+v (%v)", got, err)
	}
	listed, err := p.ListPasskeys(t.Context(), session.Actor)
	if err != nil || len(listed) != 1 || listed[0].ID != k.ID || listed[0].LastUsedAt.IsZero() {
		t.Errorf("the list has %+v (%v)", listed, err)
	}
	p.assertChain(p.admin.User)
	p.restart()
	p.comesBy(touched(k))
}

func TestAnAnswerOfAPasskeyIsGoodOnceAndForItsUserAlone(t *testing.T) {
	p := start(t)
	mia, ben := p.user("mia"), p.user("ben")
	of, _ := p.linked(mia)
	k := p.passkey(of, 0)
	once := touched(k)
	session, _ := p.comesBy(once)
	p.assertLocked("used before", once, vault.Denied)
	p.must(p.RevokeSelf(t.Context(), session.Actor))
	p.assertLocked("used before, and signed out", once, vault.Denied)

	forged := touched(k)
	forged.Verify = func([]byte) error { return errors.New("no signature of it") }
	p.assertLocked("not signed", forged, vault.Unauthenticated)
	for what, user := range map[string][]byte{"another user": ben.User[:], "nobody": nil} {
		other := touched(k)
		other.User = user
		p.assertLocked("says that it is of "+what, other, vault.Unauthenticated)
	}
	unknown := touched(k)
	unknown.Credential = []byte("unknown")
	p.assertLocked("unknown", unknown, vault.Unauthenticated)
	bens, _ := p.linked(ben)
	_, err := p.AddPasskey(t.Context(), bens.Actor, keyName("stolen"), k.Terms)
	assertKind(t, "a passkey that somebody has", err, vault.Conflict)
	_, _, err = p.ConfirmSession(t.Context(), bens.Actor, touched(k))
	assertKind(t, "a session of another user", err, vault.Unauthenticated)
}

func TestAPasskeyThatCountsBackIsRefusedAndThatIsRecorded(t *testing.T) {
	p := start(t)
	of, _ := p.linked(p.user("mia"))
	k := p.passkey(of, 5)
	p.comesBy(counted(k, 6))
	p.comesBy(counted(k, 9))
	p.restart()
	for _, to := range []uint32{9, 8, 0} {
		found := p.newEntries(k.User, func() {
			p.assertLocked(fmt.Sprintf("that counts %d", to), counted(k, to), vault.Conflict)
		})
		if to == 9 && (len(found) != 1 || found[0].Action != "passkey.dispute" ||
			found[0].Outcome != audit.Refused || found[0].Credential.ID != k.ID) {
			t.Errorf("it is recorded as %+v", found)
		}
	}
	p.comesBy(counted(k, 10))
}

func TestASessionIsConfirmedByAPasskeyAndStaysWhatItWas(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	before, old := p.linked(p.admin)
	k := p.passkey(before, 0)
	p.clock.forward(vault.SessionIdle / 2)
	var session vault.Session
	var token plaintext.Value
	var err error
	once := touched(k)
	found := p.newEntries(p.admin.User, func() {
		session, token, err = p.ConfirmSession(ctx, before.Actor, once)
		p.must(err)
	})
	if len(found) != 1 || found[0].Action != "session.confirm" || found[0].Credential.ID != k.ID ||
		found[0].Target.ID != session.Credential.ID {
		t.Errorf("it is recorded as %+v", found)
	}
	p.assertNoSession("the one before", old)
	got, err := p.AuthenticateSession(ctx, token)
	if err != nil || !slices.Equal(got.Scopes, before.Scopes) ||
		!got.ExpiresAt.Equal(before.ExpiresAt) || !got.SignedInAt.After(before.SignedInAt) {
		t.Errorf("it was %+v and is %+v (%v)", before, got, err)
	}
	_, _, err = p.ConfirmSession(ctx, got.Actor, once)
	assertKind(t, "the answer a second time", err, vault.Denied)
	_, _, err = p.ConfirmSession(ctx, before.Actor, touched(k))
	assertKind(t, "a session that has ended", err, vault.Unauthenticated)
	_, _, err = p.ConfirmSession(ctx, p.admin, touched(k))
	assertKind(t, "an API key", err, vault.Unauthenticated)
	p.must(p.RemovePasskey(ctx, got.Actor, k.ID))
	_, _, err = p.ConfirmSession(ctx, got.Actor, touched(k))
	assertKind(t, "a passkey that was removed", err, vault.Unauthenticated)
}

func TestAPasskeyThatMayDoLessConfirmsNoSessionThatMayDoMore(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	_, token, err := p.CreateAPIKey(ctx, p.admin, keyRequest("keys:write"))
	p.must(err)
	_, link, err := p.CreateOwnSignInLink(ctx, p.authenticated(token))
	p.must(err)
	small, _, err := p.SignIn(ctx, link, netip.Addr{})
	p.must(err)
	k := p.passkey(small, 0)
	session, theirs := p.linked(p.admin)
	_, _, err = p.ConfirmSession(ctx, session.Actor, touched(k))
	assertKind(t, "an admin's session", err, vault.Denied)
	if _, err := p.AuthenticateSession(ctx, theirs); err != nil {
		t.Errorf("the session that was not confirmed: %v", err)
	}
	_, _, err = p.ConfirmSession(ctx, small.Actor, touched(k))
	p.must(err)
}

func TestAPasskeyEndsAllThatCameByItAndNoOtherPasskey(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	of, _ := p.linked(p.user("mia"))
	lost := p.passkey(of, 0)
	session, token := p.comesBy(touched(lost))
	kept := p.passkey(session, 0)
	_, made, err := p.CreateAPIKey(ctx, session.Actor, keyRequest("secrets:read"))
	p.must(err)
	p.authenticated(made)
	err = p.RemovePasskey(ctx, p.user("ben"), lost.ID)
	assertKind(t, "another user's", err, vault.NotFound)
	assertKind(t, "as a session", p.EndSession(ctx, of.Actor, lost.ID), vault.NotFound)
	assertKind(t, "as an API key", p.RevokeAPIKey(ctx, of.Actor, lost.ID), vault.NotFound)
	found := p.newEntries(of.User, func() { p.must(p.RemovePasskey(ctx, of.Actor, lost.ID)) })
	if len(found) != 1 || found[0].Action != "passkey.remove" || found[0].Target.ID != lost.ID {
		t.Errorf("it is recorded as %+v", found)
	}
	p.assertNoSession("of a passkey that was removed", token)
	p.assertInactive("an API key that was made by it", made)
	p.assertLocked("removed", touched(lost), vault.Unauthenticated)
	p.comesBy(touched(kept))
}

func TestAPasskeyEndsWithWhatLetItsUserIn(t *testing.T) {
	p := start(t)
	ctx, mia := t.Context(), p.user("mia")
	_, narrow := p.newKey(p.admin, keyRequest("admin", "keys:write"))
	maker := p.authenticated(narrow)
	_, link, err := p.CreateSignInLink(ctx, maker, mia.User)
	p.must(err)
	of, _, err := p.SignIn(ctx, link, netip.Addr{})
	p.must(err)
	k := p.passkey(of, 0)
	session, token := p.comesBy(touched(k))
	if !slices.Equal(session.Scopes, []policy.Scope{policy.KeysWrite}) {
		t.Errorf("the session has %v", session.Scopes)
	}
	p.must(p.RevokeAPIKey(ctx, p.admin, maker.Credential.ID))
	p.assertNoSession("after the key of the admin", token)
	p.assertLocked("after the key of the admin", touched(k), vault.Unauthenticated)

	of, _ = p.linked(mia)
	k = p.passkey(of, 0)
	p.must(p.Service.DisableUser(ctx, p.admin, mia.User))
	p.assertLocked("of a disabled user", touched(k), vault.Unauthenticated)
}

func TestWhoComesByAProviderAddsNoPasskeyPastIt(t *testing.T) {
	p := start(t)
	session, _ := p.arrives(person("mia"))
	_, err := p.AddPasskey(t.Context(), session.Actor, keyName(""), newTerms(0))
	assertKind(t, "in a session of a provider", err, vault.Denied)
	_, token, err := p.CreateAPIKey(t.Context(), session.Actor, keyRequest("keys:write"))
	p.must(err)
	_, own, err := p.CreateOwnSignInLink(t.Context(), p.authenticated(token))
	p.must(err)
	by, _, err := p.SignIn(t.Context(), own, netip.Addr{})
	p.must(err)
	_, err = p.AddPasskey(t.Context(), by.Actor, keyName(""), newTerms(0))
	assertKind(t, "in a session of an API key that one made", err, vault.Denied)
	boss, _ := p.arrives(admin("boss"))
	_, link, err := p.CreateSignInLink(t.Context(), boss.Actor, boss.User)
	p.must(err)
	linked, _, err := p.SignIn(t.Context(), link, netip.Addr{})
	p.must(err)
	_, err = p.AddPasskey(t.Context(), linked.Actor, keyName(""), newTerms(0))
	assertKind(t, "in a session of a link that such a session made", err, vault.Denied)
}

func TestWhoSignsInAtAProviderAddsNoPasskeyInASessionOfALinkEither(t *testing.T) {
	p := start(t)
	ctx, mia := t.Context(), p.user("mia")
	refused := func(what string, session vault.Session) {
		_, err := p.AddPasskey(ctx, session.Actor, keyName(""), newTerms(0))
		assertKind(t, what, err, vault.Denied)
	}
	joined, _ := p.arrives(person("ben"))
	other, _ := p.linked(joined.Actor)
	refused("who became a user by it", other)
	_, token, err := p.CreateAPIKey(ctx, p.admin, keyRequest("admin"))
	p.must(err)
	maker := p.authenticated(token)
	p.must(p.LinkIdentity(ctx, maker, mia.User, person("mia").Identity))
	of, _ := p.linked(mia)
	refused("whom an admin has linked", of)
	p.must(p.RevokeAPIKey(ctx, p.admin, maker.Credential.ID))
	refused("whose link does not work any more", of)
	p.must(p.UnlinkIdentity(ctx, p.admin, mia.User))
	p.passkey(of, 0)
}

func TestWhoIsUnlinkedSignsInWithNoPasskeyEither(t *testing.T) {
	p := start(t)
	ctx, mia := t.Context(), p.user("mia")
	of, _ := p.linked(mia)
	k := p.passkey(of, 0)
	_, token := p.comesBy(touched(k))
	found := p.newEntries(mia.User, func() {
		p.must(p.UnlinkIdentity(ctx, p.admin, mia.User))
	})
	if len(found) != 1 || found[0].Action != "identity.unlink" || found[0].Target.ID != k.ID {
		t.Errorf("it is recorded as %+v", found)
	}
	p.assertLocked("after the user was unlinked", touched(k), vault.Unauthenticated)
	p.assertNoSession("of the passkey", token)
	k = p.passkey(of, 0)
	p.must(p.LinkIdentity(ctx, p.admin, mia.User, person("mia").Identity))
	p.assertLocked("in place of which somebody was linked", touched(k), vault.Unauthenticated)
}

func TestAUserHasTenPasskeys(t *testing.T) {
	p := start(t)
	of, _ := p.linked(p.user("mia"))
	var last vault.Passkey
	for range 10 {
		last = p.passkey(of, 0)
	}
	_, err := p.AddPasskey(t.Context(), of.Actor, keyName(""), newTerms(0))
	assertKind(t, "the eleventh", err, vault.Denied)
	p.must(p.RemovePasskey(t.Context(), of.Actor, last.ID))
	p.passkey(of, 0)
}

func TestTheDatabaseLetsNobodyInByAPasskey(t *testing.T) {
	for name, attack := range map[string]func(p *fixture, mias, bens vault.Passkey){
		"another user": func(p *fixture, mias, bens vault.Passkey) {
			p.sql("UPDATE api_keys SET user_id = ? WHERE id = ?",
				bens.User.String(), mias.ID.String())
		},
		"another key": func(p *fixture, mias, _ vault.Passkey) {
			p.sql("UPDATE api_keys SET terms = replace(terms, 'public_key', 'x') WHERE id = ?",
				mias.ID.String())
		},
		"the terms of another user's": func(p *fixture, mias, bens vault.Passkey) {
			p.sql("UPDATE api_keys SET terms = (SELECT terms FROM api_keys WHERE id = ?) "+
				"WHERE id = ?", bens.ID.String(), mias.ID.String())
		},
		"more scopes": func(p *fixture, mias, _ vault.Passkey) {
			p.sql("UPDATE api_keys SET scopes = scopes || ' admin' WHERE id = ?", mias.ID.String())
		},
		"an earlier count": func(p *fixture, mias, _ vault.Passkey) {
			kept := p.rowsOf("api_keys")
			p.comesBy(counted(mias, 7))
			p.sql("DELETE FROM api_keys WHERE id = ?", mias.ID.String())
			p.putRows("api_keys", kept)
		},
		"put back after it was removed": func(p *fixture, mias, _ vault.Passkey) {
			kept := p.rowsOf("api_keys")
			of, _ := p.linked(vault.Actor{User: mias.User})
			p.must(p.RemovePasskey(p.t.Context(), of.Actor, mias.ID))
			p.putRows("api_keys", kept)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			of, _ := p.linked(p.user("mia"))
			other, _ := p.linked(p.user("ben"))
			mias, bens := p.passkey(of, 1), p.passkey(other, 1)
			attack(p, mias, bens)
			p.restart()
			for who, a := range map[string]vault.PasskeyAnswer{
				"mia": counted(mias, 2), "ben as mia": {
					Credential: mias.Terms.Credential, User: mias.User[:], Counter: 2,
					Attempt: sha256.Sum256([]byte(name)), Verify: touched(bens).Verify,
				},
			} {
				_, token, err := p.SignInByPasskey(t.Context(), a, netip.Addr{})
				if assertTampered(t, name+", "+who, err); token.Len() > 0 {
					t.Errorf("%s is signed in", who)
				}
			}
		})
	}
}

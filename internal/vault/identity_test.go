package vault_test

import (
	"crypto/sha256"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

const signInIssuer = "https://id.example.org"

// person is somebody who signs in now, and becomes a user.
func person(subject string) vault.Person {
	return vault.Person{
		Identity: vault.Identity{Issuer: signInIssuer, Subject: subject},
		Name:     subject, Email: subject + "@example.org", Enters: true, Joins: true,
		Attempt: sha256.Sum256([]byte(uuid.NewString())),
	}
}

func (p *fixture) arrives(who vault.Person) (vault.Session, plaintext.Value) {
	p.t.Helper()
	session, token, err := p.SignInPerson(p.t.Context(), who, netip.Addr{})
	p.must(err)
	return session, token
}

// assertOutside checks that somebody is not let in, and that no user is made.
func (p *fixture) assertOutside(what string, who vault.Person) {
	p.t.Helper()
	before := p.users()
	_, token, err := p.SignInPerson(p.t.Context(), who, netip.Addr{})
	assertKind(p.t, what, err, vault.Denied)
	if token.Len() > 0 || p.users() != before {
		p.t.Errorf("%s: refused, and yet there is a token or a user", what)
	}
}

func (p *fixture) users() (n int) {
	p.sqlRow("SELECT COUNT(*) FROM users", nil, &n)
	return n
}

func TestWhoSignsInFirstBecomesAUserAndStaysThat(t *testing.T) {
	p := start(t)
	first, token := p.arrives(person("mia"))
	got, err := p.AuthenticateSession(t.Context(), token)
	if err != nil || got.User != first.User || slices.Contains(got.Scopes, policy.Admin) {
		t.Errorf("the session is of %+v (%v)", got, err)
	}
	me, err := p.WhoAmI(t.Context(), first.Actor)
	if err != nil || me.Email != "mia@example.org" || me.Admin {
		t.Errorf("the user is %+v (%v)", me, err)
	}
	whose := signInIssuer + " mia"
	isWhose := func(e audit.Linked) bool { return e.Target.Name == whose }
	if !slices.ContainsFunc(p.chain(first.User), isWhose) {
		t.Error("the audit log does not say whose name it is")
	}
	again := person("mia")
	again.Name, again.Email = "renamed", "other@example.org"
	second, _ := p.arrives(again)
	if second.User != first.User || second.Credential == first.Credential {
		t.Error("the second sign-in is of another user, or of the first session")
	}
	p.assertChain(first.User)
	p.restart()
	third, _ := p.arrives(person("mia"))
	if third.User != first.User {
		t.Error("another server finds another user")
	}
}

func TestNobodyIsAnotherByNameOrAddress(t *testing.T) {
	p := start(t)
	mia, _ := p.arrives(person("mia"))
	for what, change := range map[string]func(*vault.Person){
		"another subject": func(o *vault.Person) { o.Subject = "another" },
		"another issuer":  func(o *vault.Person) { o.Issuer = "https://evil.example.org" },
		"a slash more":    func(o *vault.Person) { o.Issuer += "/" },
		"in capitals":     func(o *vault.Person) { o.Subject = "MIA" },
	} {
		other := person("mia")
		change(&other)
		session, _ := p.arrives(other)
		me, err := p.WhoAmI(t.Context(), session.Actor)
		if err != nil || session.User == mia.User || !strings.HasPrefix(me.Username, "mia-") {
			t.Errorf("%s is %s (%v)", what, me.Username, err)
		}
	}
	admin, _ := p.arrives(vault.Person{
		Identity: vault.Identity{Issuer: signInIssuer, Subject: "x"}, Name: "Admin",
		Enters: true, Joins: true,
	})
	if admin.User == p.admin.User {
		t.Error("who is called admin is the user of that name")
	}
}

// Where people choose their names, somebody may come as alice before alice does.
func TestWhoJoinsHasNoNameThatIsTakenForAnothers(t *testing.T) {
	p := start(t)
	for _, c := range []struct{ name, want string }{
		{"alice", "alice"},
		{"Mia.Meier@example.org", "mia.meier"},
		{"Mia Meier", "mia-meier"},
		{"", "user"},
		{"@example.org", "user"},
		{"...", "user"},
		{"Zoë", "zo-"},
		{"<b>", "b-"},
		{strings.Repeat("a", 500), strings.Repeat("a", 55)},
		{"0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11", "0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11"},
		{"0198c8a66f437d0e9d2c5b1f0a3c", "0198c8a66f437d0e9d2c5b1f0a3c"},
	} {
		var names []string
		for _, subject := range []string{c.name + " first", c.name + " second"} {
			who := person(subject)
			who.Name = c.name
			session, _ := p.arrives(who)
			me, err := p.WhoAmI(t.Context(), session.Actor)
			p.must(err)
			names = append(names, me.Username)
			form := "^" + regexp.QuoteMeta(c.want) + "-[0-9a-f]{8}$"
			if !regexp.MustCompile(form).MatchString(me.Username) {
				t.Errorf("%q is called %q", c.name, me.Username)
			}
		}
		if names[0] == names[1] {
			t.Errorf("two of the name %q are called alike", c.name)
		}
	}
}

func TestWhoWasUnlinkedJoinsAnewBesideTheUserOfBefore(t *testing.T) {
	p := start(t)
	first, _ := p.arrives(person("mia"))
	for range 3 {
		p.must(p.UnlinkIdentity(t.Context(), p.admin, first.User))
		again, _ := p.arrives(person("mia"))
		if again.User == first.User {
			t.Error("who was unlinked is the same user")
		}
		first = again
	}
}

func TestOnlyWhomTheConfigurationLetsInBecomesAUser(t *testing.T) {
	p := start(t)
	stranger := person("mia")
	stranger.Joins = false
	p.assertOutside("who is not to become a user", stranger)
	p.must(p.LinkIdentity(t.Context(), p.admin, p.user("mia").User, stranger.Identity))
	session, _ := p.arrives(stranger)
	before := p.newEntries(session.User, func() {
		lacks := person("mia")
		lacks.Enters, lacks.Joins = false, false
		p.assertOutside("who lacks what everybody must have", lacks)
	})
	if last := len(before) - 1; last != 1 || before[last].Outcome != audit.Refused ||
		before[last].Credential.Kind != audit.CredentialIdentity {
		t.Errorf("what was refused is recorded as %+v", before)
	}
}

func TestAnAdminLinksSomebodyToAUser(t *testing.T) {
	p := start(t)
	ctx, mia, ben := t.Context(), p.user("mia"), p.user("ben")
	id := person("m").Identity
	p.must(p.LinkIdentity(ctx, p.admin, mia.User, id))
	session, token := p.arrives(person("m"))
	if session.User != mia.User {
		t.Error("the session is of another user")
	}
	err := p.LinkIdentity(ctx, p.admin, ben.User, id)
	assertKind(t, "an identity of another user", err, vault.Conflict)
	for what, bad := range map[string]vault.Identity{
		"no issuer": {Subject: "m"}, "no subject": {Issuer: signInIssuer},
		"plain http":          {Issuer: "http://id.example.org", Subject: "m"},
		"a control character": {Issuer: signInIssuer, Subject: "m\n"},
		"a long subject":      {Issuer: signInIssuer, Subject: strings.Repeat("m", 513)},
	} {
		assertKind(t, what, p.LinkIdentity(ctx, p.admin, mia.User, bad), vault.Invalid)
	}

	p.must(p.LinkIdentity(ctx, p.admin, mia.User, person("new").Identity))
	p.assertNoSession("of the identity before", token)
	once := person("m")
	once.Joins = false
	p.assertOutside("the identity before", once)
	session, _ = p.arrives(person("new"))
	key, made, err := p.CreateAPIKey(ctx, session.Actor, vault.APIKeyRequest{})
	p.must(err)
	p.must(p.RevokeSelf(ctx, session.Actor))
	p.authenticated(made)
	p.must(p.UnlinkIdentity(ctx, p.admin, mia.User))
	p.assertInactive("a key of who is unlinked", made)
	p.must(p.LinkIdentity(ctx, p.admin, mia.User, person("new").Identity))
	p.arrives(person("new"))
	p.assertInactive("of who is linked once more: "+key.ID.String(), made)
	p.must(p.UnlinkIdentity(ctx, p.admin, mia.User))
	if session, _ := p.arrives(person("new")); session.User == mia.User {
		t.Error("who was unlinked is the same user")
	}
	if n := len(p.newEntries(ben.User, func() {
		p.must(p.UnlinkIdentity(ctx, p.admin, ben.User))
	})); n != 0 {
		t.Errorf("nobody is unlinked, in %d entries", n)
	}
}

func TestALinkGivesNoMoreThanTheKeyThatMadeItAndEndsWithIt(t *testing.T) {
	p := start(t)
	ctx, mia := t.Context(), p.user("mia")
	_, narrow := p.newKey(p.admin, keyRequest("admin", "secrets:read"))
	maker := p.authenticated(narrow)
	p.must(p.LinkIdentity(ctx, maker, mia.User, person("mia").Identity))
	session, token := p.arrives(person("mia"))
	if !slices.Equal(session.Scopes, []policy.Scope{policy.SecretsRead}) {
		t.Errorf("the session has %v", session.Scopes)
	}
	p.must(p.RevokeAPIKey(ctx, p.admin, maker.Credential.ID))
	p.assertNoSession("after its maker", token)
	p.assertOutside("after the maker of the link", person("mia"))
}

func TestWhoIsDisabledOrDeletedStaysOutside(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	mia, token := p.arrives(person("mia"))
	p.must(p.Service.DisableUser(ctx, p.admin, mia.User))
	p.assertNoSession("of a disabled user", token)
	p.assertOutside("a disabled user", person("mia"))
	p.must(p.Service.EnableUser(ctx, p.admin, mia.User))
	p.arrives(person("mia"))
	p.must(p.Service.DeleteUser(ctx, p.admin, mia.User))
	p.assertOutside("a deleted user", person("mia"))
	p.restart()
	p.assertOutside("a deleted user, at another server", person("mia"))
	ben := p.user("ben") // an admin lets the person in once more
	p.must(p.LinkIdentity(ctx, p.admin, ben.User, person("mia").Identity))
	if session, _ := p.arrives(person("mia")); session.User != ben.User {
		t.Error("the session is of another user")
	}
}

func TestASignInOpensOneSession(t *testing.T) {
	p := start(t)
	once := person("mia")
	session, _ := p.arrives(once)
	p.assertOutside("used before", once)
	p.must(p.RevokeSelf(t.Context(), session.Actor))
	for range 25 { // make room for themselves
		p.arrives(person("mia"))
	}
	p.assertOutside("used before, and signed out", once)
	other := person("ben")
	other.Attempt = once.Attempt
	_, _, err := p.SignInPerson(t.Context(), other, netip.Addr{})
	assertKind(t, "used before, by somebody else", err, vault.Denied)
	p.clock.forward(vault.AttemptTime)
	p.arrives(person("mia"))
	var rows int
	p.sqlRow("SELECT COUNT(*) FROM api_keys WHERE kind = 'session'", nil, &rows)
	if rows > 20 {
		t.Errorf("%d rows of sessions are kept", rows)
	}
}

func TestAnAdminBySignInIsOneForThatSession(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	boss := person("boss")
	boss.Admin = true
	session, token := p.arrives(boss)
	if !slices.Contains(session.Scopes, policy.Admin) {
		t.Fatal("the session is of no admin")
	}
	asAdmin, adminToken, err := p.CreateAPIKey(ctx, session.Actor, keyRequest("admin"))
	p.must(err)
	if asAdmin.Parent != session.Credential.ID || asAdmin.ExpiresAt.IsZero() {
		t.Errorf("the admin's key is below %v and ends at %v", asAdmin.Parent, asAdmin.ExpiresAt)
	}
	_, link, err := p.CreateSignInLink(ctx, session.Actor, session.User)
	p.must(err)
	linked, linkedToken, err := p.SignIn(ctx, link, netip.Addr{})
	p.must(err)
	_, below, err := p.CreateAPIKey(ctx, linked.Actor, keyRequest("admin"))
	p.must(err)
	_, plain, err := p.CreateAPIKey(ctx, session.Actor, keyRequest("secrets:read"))
	p.must(err)
	p.authenticated(adminToken)
	p.authenticated(below)

	var none vault.Session
	entries := p.newEntries(session.User, func() {
		none, _ = p.arrives(person("boss")) // without the claim
	})
	if n := len(entries); n != 3 || entries[0].Action != string(policy.SessionShutOut) {
		t.Errorf("the audit log has %+v", entries)
	}
	if slices.Contains(none.Scopes, policy.Admin) {
		t.Error("without the claim the session is of an admin")
	}
	p.assertNoSession("the session of the admin", token)
	p.assertNoSession("one that it opened", linkedToken)
	p.assertInactive("an admin's key", adminToken)
	p.assertInactive("an admin's key that such a session made", below)
	p.authenticated(plain)

	session, _ = p.arrives(admin("boss"))
	_, adminToken, err = p.CreateAPIKey(ctx, session.Actor, keyRequest("admin"))
	p.must(err)
	p.clock.forward(vault.SessionTime)
	p.assertInactive("an admin's key after the session", adminToken)
	p.authenticated(plain)
}

func TestWhoMayNotComeInAnyMoreIsSignedOutAtOnce(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	boss, token := p.arrives(admin("boss"))
	_, second := p.arrives(admin("boss"))
	_, link, err := p.CreateSignInLink(ctx, boss.Actor, boss.User)
	p.must(err)
	login, device := p.waiting(laptop())
	p.must(p.ConfirmDeviceLogin(ctx, boss.Actor, login.UserCode))
	_, asAdmin, err := p.CreateAPIKey(ctx, boss.Actor, keyRequest("admin"))
	p.must(err)
	damaged, _, err := p.CreateAPIKey(ctx, boss.Actor, keyRequest("secrets:read"))
	p.must(err)
	_, elsewhere, err := p.CreateSignInLink(ctx, p.admin, boss.User) // not below the identity
	p.must(err)
	_, byAdmin, err := p.SignIn(ctx, elsewhere, netip.Addr{})
	p.must(err)
	_, bystander := p.arrives(person("ben"))
	p.sql("UPDATE api_keys SET name = 'x' WHERE id = ?", damaged.ID.String())

	lacks := person("boss")
	lacks.Enters, lacks.Joins = false, false
	got := p.newEntries(boss.User, func() {
		p.assertOutside("who lacks what everybody must have", lacks)
		p.assertOutside("once more", lacks)
	})
	p.assertNoSession("a session", token)
	p.assertNoSession("another one", second)
	_, _, err = p.SignIn(ctx, link, netip.Addr{})
	assertKind(t, "a link", err, vault.Unauthenticated)
	p.assertGone("a login of a program", device)
	p.assertInactive("the key of an admin", asAdmin)
	for _, token := range []plaintext.Value{byAdmin, bystander} {
		if _, err := p.AuthenticateSession(ctx, token); err != nil {
			t.Errorf("a session that is not below the identity ended: %v", err)
		}
	}
	shutOut := 0
	for _, e := range got {
		if e.Action == string(policy.SessionShutOut) && e.Outcome == audit.Done &&
			e.Credential.Kind == audit.CredentialIdentity {
			shutOut++
		}
	}
	if last := got[len(got)-1]; shutOut != 4 || last.Outcome != audit.Refused {
		t.Errorf("%d were shut out, as recorded in %+v", shutOut, got)
	}
}

func TestWhoMayNotComeInAnyMoreIsSignedOutInALockdown(t *testing.T) {
	p := start(t)
	_, token := p.arrives(admin("boss"))
	p.must(p.LockDown(t.Context()))
	lacks := person("boss")
	lacks.Enters = false
	p.assertOutside("who lacks what everybody must have", lacks)
	p.assertNoSession("the session of an admin", token)
}

func admin(subject string) vault.Person {
	who := person(subject)
	who.Admin = true
	return who
}

func TestTheDatabaseLetsNobodyInAsAnother(t *testing.T) {
	for name, attack := range map[string]func(p *fixture, mia vault.Session){
		"another user": func(p *fixture, _ vault.Session) {
			p.sql("UPDATE api_keys SET user_id = ? WHERE kind = 'identity'", p.admin.User.String())
		},
		"another person": func(p *fixture, _ vault.Session) {
			ben := person("ben").Identity
			mark := sha256.Sum256([]byte("identity\n" + ben.Issuer + "\n" + ben.Subject))
			p.sql("UPDATE api_keys SET presented = ? WHERE kind = 'identity'", mark[:])
		},
		"more scopes": func(p *fixture, _ vault.Session) {
			p.sql("UPDATE api_keys SET scopes = scopes || ' admin' WHERE kind = 'identity'")
		},
		"another kind": func(p *fixture, _ vault.Session) {
			p.sql("UPDATE api_keys SET kind = 'trust' WHERE kind = 'identity'")
		},
		"another issuer": func(p *fixture, _ vault.Session) {
			p.sql("UPDATE api_keys SET terms = '{}' WHERE kind = 'identity'")
		},
		"put back after it was unlinked": func(p *fixture, mia vault.Session) {
			kept := p.rowsOf("api_keys")
			p.must(p.UnlinkIdentity(p.t.Context(), p.admin, mia.User))
			p.putRows("api_keys", kept)
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			mia, _ := p.arrives(person("mia"))
			attack(p, mia)
			p.restart()
			for _, who := range []string{"mia", "ben"} {
				_, token, err := p.SignInPerson(t.Context(), person(who), netip.Addr{})
				if err == nil && who == "ben" && name != "another person" {
					continue // ben has nothing to do with it
				}
				if name == "another person" && who == "mia" {
					assertKind(t, "the row is hidden", err, vault.Denied)
				} else {
					assertTampered(t, name, err)
				}
				if token.Len() > 0 {
					t.Errorf("%s is signed in", who)
				}
			}
		})
	}
}

func TestWhoHidesARowMakesNoSecondUser(t *testing.T) {
	p := start(t)
	mia, _ := p.arrives(person("mia"))
	p.must(p.Service.DisableUser(t.Context(), p.admin, mia.User))
	p.sql("DELETE FROM api_keys WHERE kind = 'identity'")
	p.restart()
	p.assertOutside("whose row is hidden", person("mia"))
}

func TestALockedDownInstanceMakesNoUser(t *testing.T) {
	p := start(t)
	p.arrives(person("ben"))
	p.must(p.LockDown(t.Context()))
	p.clock.forward(time.Minute)
	before := p.users()
	for _, who := range []string{"mia", "ben"} {
		_, _, err := p.SignInPerson(t.Context(), admin(who), netip.Addr{})
		assertKind(t, who, err, vault.Unavailable)
	}
	if p.users() != before {
		t.Error("a user was made")
	}
}

func TestPeopleWhoJoinLeaveRoomForWhatMustGoOn(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	mia, token := p.arrives(person("mia"))
	p.must(p.FillInstance(ctx))
	before := p.users()
	_, _, err := p.SignInPerson(ctx, person("new"), netip.Addr{})
	assertKind(t, "somebody new", err, vault.Unavailable)
	if p.users() != before {
		t.Error("a user was made")
	}
	if fill, err := p.InstanceFill(ctx); err != nil || fill < 0.75 || fill > 0.8 {
		t.Errorf("the ledger is %f full (%v)", fill, err)
	}
	if again, _ := p.arrives(person("mia")); again.User != mia.User {
		t.Error("who has a user is another one")
	}
	p.must(p.LinkIdentity(ctx, p.admin, p.user("ben").User, person("ben").Identity))
	p.arrives(person("ben"))
	p.must(p.Service.DisableUser(ctx, p.admin, mia.User))
	p.assertNoSession("of a disabled user", token)
	p.must(p.LockDown(ctx))
}

func TestTwoFirstSignInsOfOnePersonMakeOneUser(t *testing.T) {
	p := start(t)
	users := make(chan uuid.UUID)
	for range 4 {
		go func() {
			session, _, err := p.SignInPerson(t.Context(), person("mia"), netip.Addr{})
			if err != nil {
				t.Error(err)
			}
			users <- session.User
		}()
	}
	first := <-users
	for range 3 {
		if other := <-users; other != first {
			t.Error("there are two")
		}
	}
}

package vault_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func userRef(text string) vault.UserRef { return must(vault.NewUserRef(text)) }

func grantRequest(to string) vault.GrantRequest { return vault.GrantRequest{To: userRef(to)} }

// A platform is a user whose API key acts for others, and ann, who lets it.
type platform struct {
	*fixture

	backend, ann vault.Actor
	grant        vault.UserGrant
	one, two     vault.Secret // of ann, of which one can be brokered
}

func withPlatform(t *testing.T) *platform {
	t.Helper()
	p := &platform{fixture: start(t)}
	p.backend = p.platformUser("acme-backend")
	p.ann = p.user("ann")
	p.one = p.presetSecret(p.ann, "openai", "OPENAI_API_KEY", fake("1"))
	p.two = p.secret(p.ann, "TWO", fake("2"))
	p.grant = must(p.CreateUserGrant(t.Context(), p.ann, grantRequest("acme-backend")))
	return p
}

func (p *fixture) platformUser(name string) vault.Actor {
	p.t.Helper()
	return p.user(name, policy.SecretsRead, policy.SecretsWrite, policy.LeasesWrite,
		policy.KeysWrite, policy.AuditRead, policy.ActUser)
}

// acting returns the platform as it acts for a user.
func (p *platform) acting(user string) vault.Actor {
	p.t.Helper()
	who, err := p.ActFor(p.t.Context(), p.backend, userRef(user))
	p.must(err)
	return who
}

// assertNoGrant checks that the platform does not act for a user, now and in a vault that has just
// started, and that the answer does not say why.
func (p *platform) assertNoGrant(what, user string) {
	p.t.Helper()
	started, _ := p.newVault()
	for _, v := range []*vault.Service{p.Service, started} {
		_, err := v.ActFor(p.t.Context(), p.backend, userRef(user))
		assertKind(p.t, what, err, vault.Denied)
		if err != nil && err.Error() != "No user of this name lets you act for them" {
			p.t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAPlatformTakesLeasesForWhoLetsIt(t *testing.T) {
	p := withPlatform(t)
	who := p.acting("ann")
	if by := p.acting(p.ann.User.String()); by.Owner() != p.ann.User {
		t.Error("a user is not found by id")
	}
	all, err := p.ListSecrets(t.Context(), who)
	if err != nil || len(all) != 2 {
		t.Errorf("%d secrets (%v)", len(all), err)
	}
	before := len(p.chain(p.backend.User))
	var made vault.Delivered
	got := p.newEntries(p.ann.User, func() {
		made = must(p.CreateLease(t.Context(), who, bundleOf(p.two.ID)))
	})
	want := done(p.ann.User, p.backend, policy.LeaseCreate, p.two.ID, "TWO", 1)
	want.Target.Kind, want.Lease, want.OnBehalfOf = audit.TargetSecret, made.ID, p.ann.User
	p.assertEntries(got, want)
	p.assertHas(made, map[string]vault.Value{"TWO": fake("2")})
	if n := len(p.chain(p.backend.User)) - before; n != 0 {
		t.Errorf("the platform's own log has %d entries", n)
	}
	seen := must(p.GetLease(t.Context(), p.ann, made.ID))
	by := vault.Acting{Grant: p.grant.ID, User: p.backend.User, Name: "acme-backend"}
	if diff := cmp.Diff(by, seen.By); diff != "" || seen.APIKey != p.backend.Credential.ID {
		t.Errorf("ann does not see who asked (-want +got):\n%s", diff)
	}
	log := must(p.ListAudit(t.Context(), p.ann, vault.AuditQuery{}))
	names := map[uuid.UUID]string{p.ann.User: "ann", p.backend.User: "acme-backend"}
	if diff := cmp.Diff(names, log.Names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	_, _, err = p.RevokeLease(t.Context(), who, made.ID)
	p.must(err)
	p.assertChain(p.ann.User)
}

func TestATicketThatAPlatformAskedForIsRedeemedInBothNames(t *testing.T) {
	p := withPlatform(t)
	ticket := p.lease(p.acting("ann"), p.two)
	got := p.newEntries(p.ann.User, func() { p.must(second(p.redeem(ticket, "192.0.2.7"))) })
	if len(got) != 1 || got[0].User != p.backend.User || got[0].OnBehalfOf != p.ann.User ||
		got[0].Credential.Kind != audit.CredentialTicket {
		t.Errorf("recorded: %+v", got)
	}
	// Nothing vouches any more for what the row says.
	got = p.newEntries(p.ann.User, func() {
		assertKind(t, "again", second(p.redeem(ticket, "192.0.2.8")), vault.Conflict)
	})
	if len(got) != 1 || got[0].User != p.ann.User || got[0].Lease != ticket.ID {
		t.Errorf("recorded: %+v", got)
	}
}

func TestNobodyActsForWhoDoesNotLetThem(t *testing.T) {
	p := withPlatform(t)
	ctx := t.Context()
	bea := p.user("bea")
	p.must(second(p.CreateUserGrant(ctx, bea, grantRequest("acme-backend"))))
	p.assertNoGrant("nobody", "nobody")
	p.assertNoGrant("an id of nobody", uuid.NewString())
	p.assertNoGrant("itself", "acme-backend")
	p.user("cat")
	p.assertNoGrant("who made no grant", "cat")
	other := p.platformUser("other-backend")
	_, err := p.ActFor(ctx, other, userRef("ann"))
	assertKind(t, "by the grant to another", err, vault.Denied)

	p.must(p.Service.DisableUser(ctx, p.admin, bea.User))
	p.assertNoGrant("who is disabled", "bea")
	p.must(p.Service.EnableUser(ctx, p.admin, bea.User))
	who := p.acting("bea")
	p.must(p.Service.DeleteUser(ctx, p.admin, bea.User))
	p.assertNoGrant("who is deleted", "bea")
	assertKind(t, "in the meantime", second(p.ListSecrets(ctx, who)), vault.Denied)
	p.user("bea")
	p.assertNoGrant("another of the same name", "bea")

	p.must(p.RemoveUserGrant(ctx, p.ann, p.grant.ID))
	p.assertNoGrant("after the withdrawal", "ann")
	assertKind(t, "again", p.RemoveUserGrant(ctx, p.ann, p.grant.ID), vault.NotFound)

	request := grantRequest("acme-backend")
	request.ExpiresAt = must(vault.NewExpiry(p.clock.last().Add(time.Hour)))
	p.must(second(p.CreateUserGrant(ctx, p.ann, request)))
	if who = p.acting("ann"); who.ExpiresAt.IsZero() {
		t.Error("who acts has no end, and the grant has one")
	}
	p.clock.forward(time.Hour)
	p.assertNoGrant("after its end", "ann")
	assertKind(t, "in the meantime", second(p.ListSecrets(ctx, who)), vault.Denied)
}

func TestAGrantIsToAUserAndNotToAName(t *testing.T) {
	p := withPlatform(t)
	p.must(p.Service.DeleteUser(t.Context(), p.admin, p.backend.User))
	p.backend = p.platformUser("acme-backend")
	p.assertNoGrant("who has the name now", "ann")
	grants := must(p.ListUserGrants(t.Context(), p.ann))
	if len(grants) != 1 || grants[0].Active {
		t.Errorf("a grant to nobody is active: %+v", grants)
	}
}

func TestWhoActsDoesNothingButWhatARunNeeds(t *testing.T) {
	p := withPlatform(t)
	who := p.acting("ann")
	who.Scopes = policy.AllScopes() // what else there may be, the action decides
	for action, try := range p.useCases() {
		err := try(who, p.two.ID)
		if policy.ForAnother(action) {
			continue
		}
		assertKind(t, string(action), err, vault.Denied)
	}
	if n := len(must(p.ListSecrets(t.Context(), p.ann))); n != 2 {
		t.Errorf("ann has %d secrets", n)
	}
	log := must(p.ListAudit(t.Context(), p.ann, vault.AuditQuery{}))
	if e := log.Entries[0]; e.Outcome != audit.Refused || e.User != p.backend.User ||
		e.OnBehalfOf != p.ann.User {
		t.Errorf("ann does not see what was refused: %+v", e)
	}
	_, err := p.ActFor(t.Context(), who, userRef("ann"))
	assertKind(t, "a chain", err, vault.Denied)
}

func TestAGrantGivesNoMoreThanItSaysAndTheKeyHas(t *testing.T) {
	p := withPlatform(t)
	ctx := t.Context()
	reader := must(p.ActFor(ctx, with(p.backend, policy.SecretsRead, policy.ActUser),
		userRef("ann")))
	_, err := p.CreateLease(ctx, reader, bundleOf(p.two.ID))
	assertKind(t, "a key that only reads", err, vault.Denied)
	_, err = p.ActFor(ctx, with(p.backend, policy.SecretsRead, policy.Admin), userRef("ann"))
	assertKind(t, "a key without the scope", err, vault.Denied)
	for _, kind := range []audit.CredentialKind{
		audit.CredentialSession, audit.CredentialWorkload, audit.CredentialTicket,
	} {
		other := p.backend
		other.Credential.Kind = kind
		_, err = p.ActFor(ctx, other, userRef("ann"))
		assertKind(t, string(kind), err, vault.Denied)
	}

	p.must(p.RemoveUserGrant(ctx, p.ann, p.grant.ID))
	request := grantRequest("acme-backend")
	request.Scopes = []string{"leases:write"}
	chosen := must(vault.NewSecretIDs([]string{p.two.ID.String()}))
	request.Secrets = &chosen
	p.must(second(p.CreateUserGrant(ctx, p.ann, request)))
	who := p.acting("ann")
	assertKind(t, "a list", second(p.ListSecrets(ctx, who)), vault.Denied)
	p.must(second(p.CreateLease(ctx, who, bundleOf(p.two.ID))))
	_, err = p.CreateLease(ctx, who, bundleOf(p.two.ID, p.one.ID))
	assertKind(t, "another secret", err, vault.NotFound)
	who.Scopes = policy.GrantScopes()
	all, err := p.ListSecrets(ctx, who)
	if err != nil || len(all) != 1 || all[0].ID != p.two.ID {
		t.Errorf("the list has others: %v (%v)", all, err)
	}
	assertKind(t, "another", second(p.GetSecret(ctx, who, p.one.ID)), vault.NotFound)
	for _, preset := range must(p.ListPresets(ctx, who)) {
		if preset.Configured {
			t.Errorf("the presets tell of %s", preset.Provider)
		}
	}
}

func TestWhoActsSeesAndRevokesOnlyLeasesThatTheyAskedFor(t *testing.T) {
	p := withPlatform(t)
	ctx := t.Context()
	other := p.platformUser("other-backend")
	p.must(second(p.CreateUserGrant(ctx, p.ann, grantRequest("other-backend"))))
	anns := p.lease(p.ann, p.two)
	others := p.lease(must(p.ActFor(ctx, other, userRef("ann"))), p.two)
	who := p.acting("ann")
	own := p.lease(who, p.two)
	for _, l := range []vault.Delivered{anns, others} {
		assertKind(t, "a look", second(p.GetLease(ctx, who, l.ID)), vault.NotFound)
		_, _, err := p.RevokeLease(ctx, who, l.ID)
		assertKind(t, "a revocation", err, vault.NotFound)
		p.assertState(p.ann, l.ID, vault.LeaseActive)
	}
	list, _, err := p.ListLeases(ctx, who, vault.LeaseFilter{})
	if err != nil || len(list) != 1 || list[0].ID != own.ID {
		t.Errorf("the list has others: %+v (%v)", list, err)
	}
}

// An ended is a lease with a ticket and one for the broker, of the platform for ann.
type ended struct{ ticket, broker vault.Delivered }

func (p *platform) leases() ended {
	p.t.Helper()
	who := p.acting("ann")
	e := ended{p.lease(who, p.two), p.brokered(who, p.one)}
	p.must(second(p.Grant(p.t.Context(), e.broker.Placeholders[0].Value)))
	return e
}

// assertEndedLeases checks that nothing gets a value by them any more.
func (p *platform) assertEndedLeases(what string, e ended, why vault.Ending) {
	p.t.Helper()
	p.assertEnded(what, e.broker.Placeholders[0].Value, why)
	_, err := p.redeem(e.ticket, "192.0.2.1")
	assertKind(p.t, what, err, vault.Unauthenticated)
}

func TestLeasesEndWithTheGrantByWhichTheyWereAskedFor(t *testing.T) {
	p := withPlatform(t)
	e := p.leases()
	own := p.lease(p.ann, p.two)
	grants := must(p.ListUserGrants(t.Context(), p.ann))
	if len(grants) != 1 || grants[0].Open != 2 || !grants[0].Active ||
		grants[0].LastUsedAt.IsZero() {
		t.Errorf("the list: %+v", grants)
	}
	got := p.newEntries(p.ann.User, func() {
		p.must(p.RemoveUserGrant(t.Context(), p.ann, p.grant.ID))
	})
	if len(got) != 3 || got[0].Target.ID != p.grant.ID || got[1].Lease != e.ticket.ID ||
		got[2].Lease != e.broker.ID {
		t.Errorf("recorded: %+v", got)
	}
	p.assertEndedLeases("after the withdrawal", e, vault.EndRevoked)
	p.assertState(p.ann, e.ticket.ID, vault.LeaseRevoked)
	p.assertState(p.ann, own.ID, vault.LeaseActive)
	p.must(second(p.CreateUserGrant(t.Context(), p.ann, grantRequest("acme-backend"))))
	p.assertEndedLeases("with a new grant", e, vault.EndRevoked)
	p.assertChain(p.ann.User)
}

func TestLeasesEndWithWhatAskedForThem(t *testing.T) {
	for name, c := range map[string]struct {
		end func(*platform)
		why vault.Ending
	}{
		"the platform's key": {func(p *platform) {
			self := p.backend
			self.SelfRevoke = true
			p.must(p.RevokeSelf(p.t.Context(), self))
		}, vault.EndAPIKey},
		"the platform is disabled": {func(p *platform) {
			p.must(p.Service.DisableUser(p.t.Context(), p.admin, p.backend.User))
		}, vault.EndAPIKey},
		"the platform is deleted": {func(p *platform) {
			p.must(p.Service.DeleteUser(p.t.Context(), p.admin, p.backend.User))
		}, vault.EndAPIKey},
		"the key that made the grant": {func(p *platform) {
			self := p.ann
			self.SelfRevoke = true
			p.must(p.RevokeSelf(p.t.Context(), self))
		}, vault.EndGrant},
		"the end of the grant": {
			func(p *platform) { p.clock.forward(2 * time.Hour) },
			vault.EndExpired,
		},
		"the user is disabled": {func(p *platform) {
			p.must(p.Service.DisableUser(p.t.Context(), p.admin, p.ann.User))
		}, vault.EndUser},
		"an emergency stop": {func(p *platform) {
			done, err := p.Stop(p.t.Context(), p.ann, vault.Stop{Grants: true})
			if err != nil || done.Grants != 1 || done.Leases != 2 {
				p.t.Errorf("stopped: %+v (%v)", done, err)
			}
		}, vault.EndRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			p := withPlatform(t)
			p.must(p.RemoveUserGrant(t.Context(), p.ann, p.grant.ID))
			request := grantRequest("acme-backend")
			request.ExpiresAt = must(vault.NewExpiry(p.clock.last().Add(2 * time.Hour)))
			p.grant = must(p.CreateUserGrant(t.Context(), p.ann, request))
			e := p.leases()
			c.end(p)
			p.assertEndedLeases(name, e, c.why)
		})
	}
}

// A grant sleeps while who is above it is disabled.
func TestAGrantThatSleepsEndsWithANewOneToTheSameUser(t *testing.T) {
	p := withPlatform(t)
	ctx := t.Context()
	boss := p.user("boss", policy.AllScopes()...)
	_, token, err := p.CreateAPIKeyFor(ctx, boss, p.ann.User, keyRequest("keys:write",
		"secrets:read", "leases:write"))
	p.must(err)
	p.must(p.RemoveUserGrant(ctx, p.ann, p.grant.ID))
	wide := must(p.CreateUserGrant(ctx, p.authenticated(token), grantRequest("acme-backend")))
	ticket := p.lease(p.acting("ann"), p.two)
	p.must(p.Service.DisableUser(ctx, p.admin, boss.User))
	p.assertNoGrant("while it sleeps", "ann")

	request := grantRequest("acme-backend")
	request.Scopes = []string{"secrets:read"}
	var narrow vault.UserGrant
	recorded := p.newEntries(p.ann.User, func() {
		narrow = must(p.CreateUserGrant(ctx, p.ann, request))
	})
	if !slices.ContainsFunc(recorded, func(e audit.Linked) bool {
		return e.Action == string(policy.GrantAdd) && e.Target.ID == wide.ID
	}) {
		t.Errorf("that the one that slept has ended is not recorded: %+v", recorded)
	}
	p.must(p.Service.EnableUser(ctx, p.admin, boss.User))
	if who := p.acting("ann"); who.Grant.ID != narrow.ID {
		t.Errorf("who acts does so by %v, and not by the new grant", who.Grant.ID)
	}
	p.assertState(p.ann, ticket.ID, vault.LeaseRevoked)
	p.must(p.RemoveUserGrant(ctx, p.ann, narrow.ID))
	p.assertNoGrant("after the withdrawal", "ann")
	assertKind(t, "the one that slept", p.RemoveUserGrant(ctx, p.ann, wide.ID), vault.NotFound)
	p.assertChain(p.ann.User)
}

func TestWhoCreatesAUserMayBeLetInFromTheBeginning(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	backend := p.user("acme-backend", append(policy.GrantScopes(), policy.Admin, policy.ActUser)...)
	request := userRequest("mia")
	request.Grant = true
	_, err := p.CreateUser(ctx, with(backend, policy.Admin), request)
	assertKind(t, "without the scope", err, vault.Denied)
	mia := must(p.CreateUser(ctx, backend, request))
	who, err := p.ActFor(ctx, backend, userRef("mia"))
	if err != nil || who.Owner() != mia.ID {
		t.Fatalf("the maker does not act for the user: %v", err)
	}
	p.must(second(p.CreateUser(ctx, backend, userRequest("ben"))))
	_, err = p.ActFor(ctx, backend, userRef("ben"))
	assertKind(t, "who was made without", err, vault.Denied)
	session, _ := p.signedIn(mia.ID)
	grants := must(p.ListUserGrants(ctx, session.Actor))
	if len(grants) != 1 || grants[0].Name != "acme-backend" {
		t.Fatalf("mia's grants: %+v", grants)
	}
	p.must(p.RemoveUserGrant(ctx, session.Actor, grants[0].ID))
	_, err = p.ActFor(ctx, backend, userRef("mia"))
	assertKind(t, "after the withdrawal", err, vault.Denied)
	p.assertChain(mia.ID)
}

func TestAPlatformReplacesItsKeyAndKeepsTheGrantsThatItMade(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	scopes := append(policy.GrantScopes(), policy.Admin, policy.ActUser, policy.KeysWrite)
	old := p.user("acme-backend", scopes...)
	request := userRequest("mia")
	request.Grant = true
	must(p.CreateUser(ctx, old, request))
	_, token, err := p.CreateAPIKeyFor(ctx, p.admin, old.User, keyRequest(texts(scopes)...))
	p.must(err)
	next := p.authenticated(token)
	p.must(p.RevokeAPIKeyOnly(ctx, next, old.Credential.ID))
	p.must(second(p.ActFor(ctx, next, userRef("mia"))))
	p.restart()
	p.must(second(p.ActFor(ctx, next, userRef("mia"))))
	_, err = p.ActFor(ctx, p.admin, userRef("mia"))
	assertKind(t, "who made the key", err, vault.Denied)
}

func TestAGrantIsRefusedThatCannotBeOne(t *testing.T) {
	p := withPlatform(t)
	ctx := t.Context()
	p.user("ben")
	for what, c := range map[string]struct {
		who    vault.Actor
		change func(*vault.GrantRequest)
		want   vault.Kind
	}{
		"to who has one":             {p.ann, func(*vault.GrantRequest) {}, vault.Conflict},
		"to oneself":                 {p.backend, func(*vault.GrantRequest) {}, vault.Conflict},
		"to nobody":                  {p.ann, func(r *vault.GrantRequest) { r.To = userRef("nobody") }, vault.NotFound},
		"to who may not act":         {p.ann, func(r *vault.GrantRequest) { r.To = userRef("ben") }, vault.NotFound},
		"a further scope":            {p.ann, func(r *vault.GrantRequest) { r.Scopes = []string{"keys:write"} }, vault.Invalid},
		"a scope that the key lacks": {with(p.ann, policy.KeysWrite, policy.SecretsRead), func(*vault.GrantRequest) {}, vault.Denied},
		"a secret of nobody": {p.admin, func(r *vault.GrantRequest) {
			chosen := must(vault.NewSecretIDs([]string{p.one.ID.String()}))
			r.Secrets = &chosen
		}, vault.NotFound},
		"past its end": {p.admin, func(r *vault.GrantRequest) {
			r.ExpiresAt = must(vault.NewExpiry(p.clock.last().Add(-time.Hour)))
		}, vault.Invalid},
	} {
		request := grantRequest("acme-backend")
		c.change(&request)
		_, err := p.CreateUserGrant(ctx, c.who, request)
		assertKind(t, what, err, c.want)
	}
	braces := "{" + uuid.NewString() + "}"
	for _, text := range []string{"", "Ann", "a b", "ann\n", braces, "ann,bea"} {
		assertBroken(t, text, second(vault.NewUserRef(text)), "user pattern")
	}
}

func TestALeaseIsToldAgainOnlyByTheGrantThatItHas(t *testing.T) {
	p := withPlatform(t)
	ctx := t.Context()
	who := asking(p.acting("ann"), "a lease", vault.IdempotencyKey("one"))
	made := must(p.CreateLease(ctx, who, ticketOf(p.two.ID)))
	again := must(p.CreateLease(ctx, who, ticketOf(p.two.ID)))
	if !again.Ticket.Equal(made.Ticket) || made.Ticket.Len() == 0 {
		t.Error("it is another ticket")
	}
	p.must(p.RemoveUserGrant(ctx, p.ann, p.grant.ID))
	p.must(second(p.CreateUserGrant(ctx, p.ann, grantRequest("acme-backend"))))
	who = asking(p.acting("ann"), "a lease", vault.IdempotencyKey("one"))
	got, err := p.CreateLease(ctx, who, ticketOf(p.two.ID))
	assertKind(t, "by another grant", err, vault.Conflict)
	if got.Ticket.Len() > 0 {
		t.Error("the ticket was told")
	}
}

func TestARefusalAtTheBrokerOfWhatAPlatformAskedForIsRecordedInBothNames(t *testing.T) {
	p := withPlatform(t)
	made := p.brokered(p.acting("ann"), p.one)
	g := must(p.Grant(t.Context(), made.Placeholders[0].Value))
	if g.By != p.backend.User || g.User != p.ann.User {
		t.Errorf("by %v for %v", g.By, g.User)
	}
	got := p.newEntries(p.ann.User, func() {
		_, err := p.RecordBrokered(t.Context(), []vault.BrokeredRequest{{
			User: g.User, By: g.By, Lease: g.Lease, Secret: g.Secret, At: p.clock.last(),
			Method: "GET", Host: "api.openai.com", Path: "/", Refused: "path",
		}})
		p.must(err)
	})
	if len(got) != 1 || got[0].User != p.backend.User || got[0].OnBehalfOf != p.ann.User ||
		got[0].Lease != made.ID {
		t.Errorf("recorded: %+v", got)
	}
}

func TestTheLogIsReadAlsoWhereANameInItCannotBeTold(t *testing.T) {
	p := withPlatform(t)
	p.must(second(p.CreateLease(t.Context(), p.acting("ann"), bundleOf(p.two.ID))))
	p.sql("UPDATE api_keys SET name = 'another' WHERE id = ?", p.grant.ID.String())
	log, err := p.ListAnyAudit(t.Context(), p.admin, p.ann.User, vault.AuditQuery{})
	p.must(err)
	if len(log.Entries) == 0 || log.Entries[0].OnBehalfOf != p.ann.User || len(log.Names) > 0 {
		t.Errorf("%d entries, with the names %v", len(log.Entries), log.Names)
	}
	if p.Tamperings() == 0 {
		t.Error("it is told to nobody that the row was changed")
	}
}

func TestAUserWasNotSeenWhenSomebodyActedForThem(t *testing.T) {
	p := withPlatform(t)
	before := must(p.GetUser(t.Context(), p.admin, p.ann.User)).LastUsedAt
	p.clock.forward(time.Hour)
	p.acting("ann")
	if at := must(p.GetUser(t.Context(), p.admin, p.ann.User)).LastUsedAt; !at.Equal(before) {
		t.Errorf("ann was seen at %v, and not last at %v", at, before)
	}
}

func TestWhoIsRefusedAsTheyReadBecauseAGrantEndedIsRecorded(t *testing.T) {
	p := withPlatform(t)
	who := p.acting("ann")
	p.must(p.RemoveUserGrant(t.Context(), p.ann, p.grant.ID))
	got := p.newEntries(p.ann.User, func() {
		assertKind(t, "a list", second(p.ListSecrets(t.Context(), who)), vault.Denied)
	})
	if len(got) != 1 || got[0].Outcome != audit.Refused || got[0].User != p.backend.User ||
		got[0].OnBehalfOf != p.ann.User || got[0].Action != string(policy.SecretList) {
		t.Errorf("recorded: %+v", got)
	}
}

func TestWhoIsDisabledWhileTheyAskGetsNothingOfAnotherUser(t *testing.T) {
	p := withPlatform(t)
	who := p.acting("ann")
	p.must(p.Service.DisableUser(t.Context(), p.admin, p.backend.User))
	_, err := p.CreateLease(t.Context(), who, bundleOf(p.two.ID))
	assertKind(t, "a lease", err, vault.Unauthenticated)
	_, err = p.ListSecrets(t.Context(), who)
	assertKind(t, "the secrets", err, vault.Unauthenticated)
}

package vault_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

var stopAll = vault.Stop{Leases: true, Sessions: true, Rules: true, Passkeys: true, Keys: true}

// A reach is every way into the library of ann, each in use.
type reach struct {
	trusting

	session   vault.Session
	here      plaintext.Value // the session that stops the rest
	there     plaintext.Value
	link      plaintext.Value
	device    plaintext.Value
	finger    vault.Passkey
	key       plaintext.Value
	workload  plaintext.Value
	rule      vault.TrustRule
	ticket    vault.Delivered
	placed    vault.Delivered // placeholders, at the broker
	delivered vault.Delivered
}

// reached makes all of them: none hangs on the key of another.
func reached(t *testing.T) *reach {
	t.Helper()
	r := &reach{trusting: startTrusting(t)}
	ctx, ann := t.Context(), r.user("ann")
	r.session, r.here = r.signedIn(ann.User)
	_, r.there = r.signedIn(ann.User)
	var err error
	_, r.link, err = r.CreateSignInLink(ctx, r.admin, ann.User)
	r.must(err)
	var login vault.WaitingLogin
	login, r.device = r.waiting(laptop())
	r.must(r.ConfirmDeviceLogin(ctx, r.session.Actor, login.UserCode))
	r.finger = r.passkey(r.session, 0)
	_, r.key = r.newKey(r.session.Actor, keyRequest())
	r.rule = r.trusting.rule(r.session.Actor)
	_, r.workload = r.credential(r.rule)
	one := r.presetSecret(ann, "openai", "ONE", fake("one"))
	r.ticket, r.placed = r.lease(r.session.Actor, one), r.brokered(r.session.Actor, one)
	r.delivered, err = r.CreateLease(ctx, r.session.Actor, bundleOf(one.ID))
	r.must(err)
	return r
}

// assertStopped checks that nothing of it lets anybody in, also in a process that starts.
func (r *reach) assertStopped() {
	r.t.Helper()
	for range 2 {
		r.assertNoSession("the other session", r.there)
		_, _, err := r.SignIn(r.t.Context(), r.link, netip.Addr{})
		assertKind(r.t, "the sign-in link", err, vault.Unauthenticated)
		r.assertGone("the login of a program", r.device)
		r.assertLocked("the passkey", touched(r.finger), vault.Unauthenticated)
		r.assertInactive("an API key", r.key)
		r.assertInactive("a credential of a rule", r.workload)
		_, err = r.exchange(r.rule, r.token(nil))
		assertKind(r.t, "the rule", err, vault.Unauthenticated)
		if _, err := r.redeem(r.ticket, "192.0.2.1"); err == nil {
			r.t.Error("the ticket is redeemed")
		}
		r.restart()
		r.trust(r.Service)
	}
	r.assertChain(r.session.User)
}

func TestAStopEndsEveryWayIn(t *testing.T) {
	r := reached(t)
	done, err := r.Stop(t.Context(), r.session.Actor, stopAll)
	r.must(err)
	// of ann's keys the one that the admin made, the session's and none of the admin's own
	want := vault.Stopped{Leases: 3, Sessions: 1, Waiting: 2, Rules: 1, Passkeys: 1, Keys: 2}
	if done != want {
		t.Errorf("it says %+v, and not %+v", done, want)
	}
	r.assertEnded("a placeholder", r.placed.Placeholders[0].Value, vault.EndRevoked)
	for _, l := range []vault.Delivered{r.ticket, r.placed, r.delivered} {
		r.assertState(r.session.Actor, l.ID, vault.LeaseRevoked)
	}
	r.assertStopped()
	if _, err := r.AuthenticateSession(t.Context(), r.here); err != nil {
		t.Errorf("the session that stops ended: %v", err)
	}
	again := r.newEntries(r.session.User, func() {
		done, err = r.Stop(t.Context(), r.session.Actor, stopAll)
		if err != nil || done != (vault.Stopped{}) {
			t.Errorf("a second stop: %+v (%v)", done, err)
		}
	})
	r.assertEntries(again)
}

func TestAStopEndsNothingThatWasNotChosen(t *testing.T) {
	for name, what := range map[string]vault.Stop{
		"leases": {Leases: true}, "sessions": {Sessions: true}, "rules": {Rules: true},
		"passkeys": {Passkeys: true}, "keys": {Keys: true},
	} {
		t.Run(name, func(t *testing.T) {
			r := reached(t)
			_, err := r.Stop(t.Context(), r.session.Actor, what)
			r.must(err)
			wantState := vault.LeaseActive
			if what.Leases {
				wantState = vault.LeaseRevoked
			}
			r.assertState(r.session.Actor, r.ticket.ID, wantState)
			for what, works := range map[string]struct{ got, want bool }{
				"the other session": {r.works(func() error {
					return second(r.AuthenticateSession(t.Context(), r.there))
				}), !what.Sessions},
				"the link": {r.works(func() error {
					return second(r.LinkUser(t.Context(), r.link))
				}), !what.Sessions},
				"the login": {r.works(func() error {
					return second(r.LookAtDeviceLogin(t.Context(), r.device))
				}), !what.Sessions},
				"the rule": {r.works(func() error {
					return second(r.exchange(r.rule, r.token(nil)))
				}), !what.Rules},
				"the key": {r.works(func() error {
					return second(r.Authenticate(t.Context(), r.key))
				}), !what.Keys},
				"the passkey": {r.works(func() error {
					_, _, err := r.SignInByPasskey(t.Context(), touched(r.finger), netip.Addr{})
					return err
				}), !what.Passkeys},
			} {
				if works.got != works.want {
					t.Errorf("%s: works is %v", what, works.got)
				}
			}
		})
	}
}

func (r *reach) works(try func() error) bool { return try() == nil }

// Who writes the database must not keep anything alive by a row that does not verify, that cannot
// be read, or that is away while the stop runs.
func TestABadRowKeepsNothingElseAlive(t *testing.T) {
	for name, damage := range map[string]string{
		"a key that was changed":     "api_keys SET name = 'x' WHERE kind = '' AND",
		"a key that is not read":     "api_keys SET terms = '{}' WHERE kind = '' AND",
		"a rule that was changed":    "api_keys SET terms = '{}' WHERE kind = 'trust' AND",
		"a link that is not read":    "api_keys SET terms = '{}' WHERE kind = 'sign-in-link' AND",
		"a lease that was changed":   "leases SET run_id = 'x' WHERE",
		"a lease that is not read":   "leases SET secrets = 'x' WHERE",
		"a lease with broken limits": "leases SET limits = 'x' WHERE",
	} {
		t.Run(name, func(t *testing.T) {
			r := reached(t)
			if r.sql("UPDATE "+damage+" user_id = ?", r.session.User.String()) == 0 {
				t.Fatal("nothing was damaged")
			}
			r.restart()
			r.trust(r.Service)
			done, err := r.Stop(t.Context(), r.session.Actor, stopAll)
			r.must(err)
			if done.Damaged == 0 {
				t.Errorf("it does not say that rows are damaged: %+v", done)
			}
			ledger, _, err := r.LedgerOf(t.Context(), r.session.User)
			r.must(err)
			if n := ledger.Leases.Len(); n != 0 {
				t.Errorf("the ledger lists %d leases", n)
			}
			_, err = r.Stop(t.Context(), r.session.Actor, stopAll)
			r.must(err)
			r.assertRefused()
		})
	}
}

// assertRefused is assertStopped for rows that may be damaged: nothing works, for whatever reason.
func (r *reach) assertRefused() {
	r.t.Helper()
	for what, try := range map[string]func() error{
		"the other session": func() error {
			return second(r.AuthenticateSession(r.t.Context(), r.there))
		},
		"the link":  func() error { return second(r.LinkUser(r.t.Context(), r.link)) },
		"the login": func() error { return third(r.fetch(r.device)) },
		"the rule":  func() error { return second(r.exchange(r.rule, r.token(nil))) },
		"its credential": func() error {
			return second(r.Authenticate(r.t.Context(), r.workload))
		},
		"the key":    func() error { return second(r.Authenticate(r.t.Context(), r.key)) },
		"the ticket": func() error { return second(r.redeem(r.ticket, "192.0.2.1")) },
	} {
		if try() == nil {
			r.t.Errorf("%s works", what)
		}
	}
}

func third[A, B any](_ A, _ B, err error) error { return err }

func TestARowThatWasAwayDuringAStopDoesNotComeBack(t *testing.T) {
	r := reached(t)
	user := r.session.User.String()
	for _, table := range []string{"api_keys", "leases"} {
		r.besides("CREATE TABLE copied." + table + " AS SELECT * FROM " + table)
	}
	hidden := " WHERE user_id = ? AND id <> ?"
	r.sql("DELETE FROM api_keys"+hidden, user, r.session.Credential.ID.String())
	r.sql("DELETE FROM leases WHERE user_id = ?", user)
	_, err := r.Stop(t.Context(), r.session.Actor, stopAll)
	r.must(err)
	r.besides("INSERT INTO api_keys SELECT * FROM copied.api_keys"+hidden,
		user, r.session.Credential.ID.String())
	r.besides("INSERT INTO leases SELECT * FROM copied.leases WHERE user_id = ?", user)
	r.notice()
	r.restart()
	r.trust(r.Service)
	r.assertRefused()
}

func TestAStopLeavesAndNamesWhatTheCallerMayNotEnd(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	boss := p.user("boss", policy.AllScopes()...)
	session, _ := p.signedIn(boss.User) // of the admin's making, and no admin
	done, err := p.Stop(ctx, session.Actor, stopAll)
	p.must(err)
	if done.Kept != 1 || done.Keys != 0 {
		t.Errorf("it says %+v of an admin's key", done)
	}
	if _, err := p.WhoAmI(ctx, boss); err != nil {
		t.Errorf("one who is no admin ended an admin's key: %v", err)
	}
	reader := with(session.Actor, policy.SecretsRead)
	_, err = p.Stop(ctx, reader, stopAll)
	assertKind(t, "with no scope for any of it", err, vault.Denied)
	user := with(session.Actor, policy.LeasesWrite)
	if done, err := p.Stop(ctx, user, stopAll); err != nil || !done.NoKeys || done.NoLeases {
		t.Errorf("with leases:write alone: %+v (%v)", done, err)
	}
}

func TestAStopOfTheKeyAboveASessionEndsItAsTheLast(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	session, token := p.signedIn(p.admin.User)
	_, key := p.newKey(p.admin, vault.APIKeyRequest{})
	done, err := p.Stop(ctx, session.Actor, stopAll)
	if err != nil || !done.Self || done.Keys != 2 {
		t.Fatalf("it says %+v (%v)", done, err)
	}
	p.assertNoSession("the session below the key", token)
	p.assertInactive("the other key", key)
	_, err = p.Stop(ctx, session.Actor, stopAll)
	assertKind(t, "a stop by a session that has ended", err, vault.Unauthenticated)
}

func TestAStopOfVeryMuchIsOneChange(t *testing.T) {
	p := start(t)
	ctx, ann := t.Context(), p.user("ann")
	session, _ := p.signedIn(ann.User)
	one := p.secret(ann, "ONE", fake("one"))
	const leases, keys = 300, 190
	for range leases {
		p.lease(ann, one)
	}
	var many []vault.APIKey
	for range keys {
		id := must(uuid.NewV7())
		_, token := p.tokenOfKey()
		many = append(many, vault.APIKey{
			ID: id, User: ann.User, Hash: token, Scopes: ann.Scopes, CreatedAt: p.clock.last(),
		})
	}
	p.must(p.AddAPIKeys(ctx, ann, many))
	entries := p.newEntries(ann.User, func() {
		done, err := p.Stop(ctx, session.Actor, stopAll)
		if err != nil || done.Leases != leases || done.Keys != keys+1 {
			t.Errorf("it says %+v (%v)", done, err)
		}
	})
	if len(entries) != leases+keys+1 {
		t.Errorf("%d entries", len(entries))
	}
	for _, e := range entries {
		if e.Target.Kind == audit.TargetLease && e.Lease != e.Target.ID {
			t.Fatalf("the entry of lease %s tells of %s", e.Target.ID, e.Lease)
		}
	}
	p.assertChain(ann.User)
}

// tokenOfKey returns a new token of an API key with its hash.
func (p *fixture) tokenOfKey() (plaintext.Value, vault.TokenHash) {
	p.t.Helper()
	token := vault.NewToken()
	hash, ok := vault.HashToken(token)
	if !ok {
		p.t.Fatal("a new token is none")
	}
	return token, hash
}

func TestNoProgramBeginsALoginInALockdown(t *testing.T) {
	p := start(t)
	p.must(p.LockDown(t.Context()))
	time.Sleep(600 * time.Millisecond) // what is remembered of the instance's ledger has ended
	_, _, err := p.StartDeviceLogin(t.Context(), laptop())
	assertKind(t, "a login in a lockdown", err, vault.Unavailable)
}

package vault_test

import (
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// block puts a row where the next entry of a user's chain belongs.
func (p *fixture) block(user uuid.UUID) {
	p.t.Helper()
	const rest = `user_id, credential_kind, credential_id, on_behalf_of, client, action, outcome,
		target_kind, target_id, target_name, target_version, lease_id, run, hash`
	p.sql(`INSERT INTO audit_entries (owner_id, seq, at, `+rest+`) SELECT owner_id, seq + 1, at, `+
		rest+` FROM audit_entries WHERE owner_id = ? ORDER BY seq DESC LIMIT 1`, user.String())
}

func TestABlockedAuditChainKeepsNothingAlive(t *testing.T) {
	r := reached(t)
	ctx, ann := t.Context(), r.session.User
	r.block(ann)
	_, err := r.CreateSecret(ctx, r.session.Actor, custom("NEW", fake("new")))
	assertTampered(t, "what gives something", err)
	entries := r.newEntries(r.instance(), func() {
		done, err := r.Stop(ctx, r.session.Actor, stopAll)
		r.must(err)
		want := vault.Stopped{Leases: 3, Sessions: 1, Waiting: 2, Rules: 1, Passkeys: 1, Keys: 2}
		if done != want {
			t.Errorf("it says %+v, and not %+v", done, want)
		}
	})
	if len(entries) == 0 {
		t.Error("the instance's chain does not say that anything was stopped")
	}
	for _, e := range entries {
		if e.Action != string(policy.LibraryStop) || e.User != ann {
			t.Errorf("the instance's chain has %+v", e.Entry)
		}
	}
	r.assertRefused()
	r.must(r.EndSession(ctx, r.session.Actor, r.session.Credential.ID))
	r.restart()
	r.assertNoSession("who ended it", r.here)
	r.must(r.Service.DisableUser(ctx, r.admin, ann))
	if !r.listed(ann).Disabled {
		t.Error("the list does not show that the user is disabled")
	}
	r.must(r.Service.DeleteUser(ctx, r.admin, ann))
	r.assertChain(uuid.Nil)
}

// What is stored of a user may be damaged in any way: an admin ends all that is theirs, and it
// stays ended when what was there before comes back.
func TestAnAdminDisablesAUserWhoWasTamperedWith(t *testing.T) {
	for name, damage := range map[string]func(r *reach, user string){
		"a ledger that does not verify": func(r *reach, user string) {
			r.sql("UPDATE users SET ledger = substr(ledger, 2) WHERE id = ?", user)
		},
		"a ledger of another number": func(r *reach, user string) {
			r.sql("UPDATE users SET number = number + 1 WHERE id = ?", user)
		},
		"another name": func(r *reach, user string) {
			r.sql("UPDATE users SET username = 'x' WHERE id = ?", user)
		},
		"a blocked chain": func(r *reach, _ string) { r.block(r.session.User) },
	} {
		t.Run(name, func(t *testing.T) {
			r := reached(t)
			ctx, ann := t.Context(), r.session.User
			r.besides("CREATE TABLE copied.users AS SELECT * FROM users")
			damage(r, ann.String())
			entries := r.newEntries(r.instance(), func() {
				r.must(r.Service.DisableUser(ctx, r.admin, ann))
				r.must(r.Service.DisableUser(ctx, r.admin, ann)) // changes nothing
				r.must(r.Operator.DisableUser(ctx, ann))
			})
			want := audit.Target{Kind: audit.TargetUser, ID: ann}
			for i, e := range entries {
				if e.Target.Name = ""; i > 0 || e.Target != want || e.User != r.admin.User {
					t.Errorf("the instance's chain has %+v", e.Entry)
				}
			}
			r.assertRefused()
			r.besides("UPDATE users SET (number, ledger, username) = (SELECT number, ledger, "+
				"username FROM copied.users AS before WHERE before.id = users.id) WHERE id = ?",
				ann.String())
			r.notice()
			for range 2 {
				r.assertRefused()
				if _, err := r.AuthenticateSession(ctx, r.here); err == nil {
					_, err = r.WhoAmI(ctx, r.session.Actor)
					assertTampered(t, "a session that is remembered", err)
				}
				r.restart()
				r.trust(r.Service)
			}
			if err := r.Service.EnableUser(ctx, r.admin, ann); err == nil {
				t.Error("the user is enabled without a repair")
			}
			r.assertChain(uuid.Nil)
		})
	}
}

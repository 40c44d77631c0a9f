package vault_test

import (
	"bytes"
	"crypto/sha256"
	"testing"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

func TestALeaseThatIsAskedForAgainIsNotMadeAgain(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	one := p.secret(ann, "ONE", fake("1"))
	asking := func(name string) vault.Actor {
		who := ann
		who.Once = &vault.Once{
			Keys: []vault.OnceKey{vault.IdempotencyKey(name)}, Request: sha256.Sum256([]byte(name)),
		}
		return who
	}
	first := must(p.CreateLease(ctx, asking("ticket"), ticketOf(one.ID)))
	again := must(p.CreateLease(ctx, asking("ticket"), ticketOf(one.ID)))
	if again.ID != first.ID || !bytes.Equal(again.Ticket.Reveal(), first.Ticket.Reveal()) {
		t.Error("another ticket was made")
	}
	sealed := must(p.CreateLease(ctx, asking("bundle"), bundleOf(one.ID)))
	got := p.newEntries(ann.User, func() {
		again = must(p.CreateLease(ctx, asking("bundle"), bundleOf(one.ID)))
	})
	if again.ID != sealed.ID || len(got) != 1 || got[0].Lease != sealed.ID {
		t.Errorf("another lease was made, or the release was not recorded: %d entries", len(got))
	}
	p.assertHas(again, map[string]vault.Value{"ONE": fake("1")})
	if n := len(must(leasesOf(p, ann))); n != 2 {
		t.Errorf("there are %d leases", n)
	}
	p.must(second(p.UpdateSecret(ctx, ann, one.ID, fake("2"))))
	_, err := p.CreateLease(ctx, asking("bundle"), bundleOf(one.ID))
	assertKind(t, "a bundle of another version", err, vault.Conflict)
	_, _, err = p.RevokeLease(ctx, ann, sealed.ID)
	p.must(err)
	_, err = p.CreateLease(ctx, asking("bundle"), bundleOf(one.ID))
	assertKind(t, "a lease that was revoked", err, vault.Conflict)
	p.assertChain(ann.User)
}

func leasesOf(p *fixture, who vault.Actor) ([]vault.Lease, error) {
	found, _, err := p.ListLeases(p.t.Context(), who, vault.LeaseFilter{})
	return found, err
}

func TestARotationOfTheInstanceKeyCarriesTicketsAndARestoreEndsThem(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	one := p.secret(ann, "ONE", fake("1"))
	first, other := p.lease(ann, one), p.lease(ann, one)
	next := must(seal.NewInstanceKey())
	p.must(p.AddInstanceKey(ctx, next))
	p.named.setInstance(next.ID(), p.key.ID())
	p.must(p.OpenInstanceKeys(ctx))
	p.must(second(p.Resign(ctx, false, func(int, int) {})))
	p.named.setInstance(next.ID())
	p.restart()
	p.assertHas(must(p.redeem(first, "192.0.2.1")), map[string]vault.Value{"ONE": fake("1")})
	if n, err := p.EndLeases(ctx); err != nil || n != 1 {
		t.Errorf("%d leases were ended (%v)", n, err)
	}
	_, err := p.redeem(other, "192.0.2.1")
	assertKind(t, "after a restore", err, vault.Unauthenticated)
	p.assertState(ann, other.ID, vault.LeaseRevoked)
	p.assertChain(ann.User)
}

// What somebody who writes the database does to a lease.
func TestALeaseThatIsNotWhatWasStoredIsTampering(t *testing.T) {
	for name, change := range map[string]string{
		"extended":        "UPDATE leases SET expires_at = expires_at + 1 WHERE id = $1",
		"moved":           "UPDATE leases SET user_id = $2 WHERE id = $1",
		"other secrets":   "UPDATE leases SET secrets = replace(secrets, 'ONE', 'TWO') WHERE id = $1",
		"another key":     "UPDATE leases SET api_key_id = $2 WHERE id = $1",
		"another run":     "UPDATE leases SET run_id = 'x' WHERE id = $1",
		"revived":         "UPDATE leases SET redeemed_at = NULL, disputed_at = NULL WHERE id = $3",
		"with its ticket": "UPDATE leases SET ticket_hash = zeroblob(32) WHERE id = $1",
		"copied": "INSERT INTO leases SELECT '" + copiedLease + `', user_id, api_key_id,
			api_key_name, delivery, zeroblob(32), run_id, run_label, secrets, created_at,
			expires_at, NULL, NULL, NULL FROM leases WHERE id = $1`,
		"hidden": "DELETE FROM leases WHERE id = $1",
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			ann, ben := p.user("ann"), p.user("ben")
			one := p.secret(ann, "ONE", fake("1"))
			open, used := p.lease(ann, one), p.lease(ann, one)
			p.must(second(p.redeem(used, "192.0.2.1")))
			p.sql(change+" AND $1 <> '' AND $2 <> '' AND $3 <> ''", open.ID.String(),
				ben.User.String(), used.ID.String())
			p.restart()
			ticket := open
			if name == "revived" {
				ticket = used
			}
			_, err := leasesOf(p, ann)
			assertTampered(t, "the list", err)
			if out, err := p.redeem(ticket, "192.0.2.2"); name != "copied" && err == nil {
				t.Errorf("the ticket was redeemed for %d bytes", len(out.Bundle))
			}
		})
	}
}

const copiedLease = "01968b20-41aa-7c55-8f0e-93f1f4f9a6b7"

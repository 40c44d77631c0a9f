package vault_test

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

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

// The clock of the server decides, and what had ended by it does not begin again when it goes back.
func TestALeaseEndsAtItsMomentAndStaysEndedWhenTheClockGoesBack(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	one := p.secret(ann, "ONE", fake("1"))
	open, other := p.lease(ann, one), p.lease(ann, one)
	p.clock.forward(open.ExpiresAt.Sub(p.clock.last()) - time.Minute)
	p.assertHas(must(p.redeem(open, "192.0.2.1")), map[string]vault.Value{"ONE": fake("1")})
	p.clock.forward(other.ExpiresAt.Sub(p.clock.last()) - time.Second) // it goes on by one
	_, err := p.redeem(other, "192.0.2.1")
	assertKind(t, "at its end", err, vault.Unauthenticated)
	p.assertState(ann, other.ID, vault.LeaseExpired)
	p.must(second(p.UpdateSecret(ctx, ann, one.ID, fake("2")))) // it leaves the ledger
	p.clock.forward(-time.Hour)
	_, err = p.redeem(other, "192.0.2.1")
	assertKind(t, "when the clock went back", err, vault.Unauthenticated)
	p.assertState(ann, other.ID, vault.LeaseExpired)
	p.restart()
	_, err = p.redeem(other, "192.0.2.1")
	assertKind(t, "after a restart", err, vault.Unauthenticated)
	later := p.lease(ann, one)
	p.assertHas(must(p.redeem(later, "192.0.2.1")), map[string]vault.Value{"ONE": fake("2")})
	p.assertChain(ann.User)
}

// Who may make leases and nothing else must not keep the user from replacing what leaked.
func TestALedgerHasRoomForAllThatTheLimitsAllow(t *testing.T) {
	full := vault.FullLedger(must(vault.NewLimits(200, 5))) // the defaults
	signed, err := full.Sign(must(seal.NewInstanceKey()))
	if err != nil || len(signed) != full.Size() || vault.HasRoomForLease(full) {
		t.Errorf("%d bytes of %d: %v", len(signed), full.Size(), err)
	}
	full.Leases.Remove(full.Leases.All()[0])
	if !vault.HasRoomForLease(full) {
		t.Error("there is no room for the last ticket")
	}
	more := vault.FullLedger(must(vault.NewLimits(700, 5))) // without tickets it would fit
	more.Leases.Remove(more.Leases.All()[0])
	if vault.HasRoomForLease(more) {
		t.Error("tickets take the room of all else")
	}
}

package attack_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const leaseTable = "leases"

// newTicket makes a lease with a ticket.
func (h *House) newTicket(p Person, secrets ...wire.Secret) wire.Lease {
	h.t.Helper()
	in := wire.CreateLease{Delivery: wire.DeliveryTicket}
	for _, s := range secrets {
		in.SecretIDs = append(in.SecretIDs, s.ID)
	}
	made, err := h.as(p).CreateLease(h.t.Context(), in)
	apptest.Must(h.t, err)
	return made
}

// present presents a ticket, and returns what it was redeemed for.
func (h *House) present(ticket string) (bundle.Payload, error) {
	h.t.Helper()
	own, err := bundle.NewKey(bundle.X25519)
	apptest.Must(h.t, err)
	got, err := h.as(Person{}).RedeemTicket(h.t.Context(), plaintext.FromString(ticket),
		wire.RedeemTicket{Recipient: own.Recipient().String()})
	if err != nil {
		return bundle.Payload{}, err
	}
	return client.OpenBundle(own, *got.Bundle)
}

// notRedeemed demands that a ticket is of no use.
func (h *House) notRedeemed(what, ticket string) {
	h.t.Helper()
	got, err := h.present(ticket)
	h.refused(what, err)
	if len(got.Secrets) > 0 {
		h.t.Errorf("%s: values were handed out", what)
	}
}

// redeemed demands that a ticket hands out one secret of a person's, with its second value.
func (h *House) redeemed(ticket string, p Person, s wire.Secret) {
	h.t.Helper()
	got, err := h.present(ticket)
	if err != nil || len(got.Secrets) != 1 || got.Secrets[0].Name != s.Name ||
		!bytes.Equal(got.Secrets[0].Value.Reveal(), value(p, s.Name, "second").Reveal()) {
		h.t.Errorf("the ticket was not redeemed for %s: %v", s.Name, err)
	}
}

// tamperedLeases demands that a person's list of leases is tampering.
func (h *House) tamperedLeases(p Person) {
	h.t.Helper()
	_, err := h.as(p).ListLeases(h.t.Context(), client.LeaseFilter{})
	h.tampering("the list of leases of "+p.name, err)
}

func (h *House) leaseRow(l wire.Lease) row {
	h.t.Helper()
	return h.byID(leaseTable, l.ID)
}

// putBackLease makes a lease what it was.
func (h *House) putBackLease(d dump, l wire.Lease) {
	h.t.Helper()
	h.putBack(leaseTable, d.row(leaseTable, "id", l.ID))
}

func TestALeaseOfWhichAColumnWasChangedHandsOutNothing(t *testing.T) {
	h := newHouse(t)
	open := h.newTicket(h.mia, h.one)
	was := h.leaseRow(open)
	hash, _ := was["ticket_hash"].([]byte)
	end, _ := was["expires_at"].(int64)
	begun, _ := was["created_at"].(int64)
	for what, changed := range map[string]row{
		"a later end":     was.with("expires_at", end+1),
		"an earlier end":  was.with("expires_at", time.Now().Add(time.Second).UnixMicro()),
		"an endless life": was.with("expires_at", int64(1<<62)),
		"a later begin":   was.with("created_at", begun+1),
		"another secret": was.with("secrets",
			strings.Replace(was.text("secrets"), h.one.ID, h.two.ID, 1)),
		"a secret of eve's": was.with("secrets",
			strings.Replace(was.text("secrets"), h.one.ID, h.eves.ID, 1)),
		"one secret more": was.with("secrets", was.text("secrets")+h.two.ID+" 0 TWO\n"),
		"no secrets":      was.with("secrets", ""),
		"another name": was.with("secrets",
			strings.Replace(was.text("secrets"), "ONE", "TWO", 1)),
		"another user's API key": was.with("api_key_id", h.eve.keyID),
		"another name of it":     was.with("api_key_name", "other"),
		"another run":            was.with("run_id", "x"),
		"another label":          was.with("run_label", "x"),
		"another delivery":       was.with("delivery", "bundle"),
		"another user":           was.with("user_id", h.eve.id),
		"another id":             was.with("id", newID()),
	} {
		h.change(leaseTable, was, changed)
		h.notRedeemed(what, open.Ticket)
		h.tamperedLeases(h.mia)
		h.named("lease")
		h.change(leaseTable, changed, was)
	}
	apptest.Must(t, h.start())
	if _, err := h.as(h.mia).GetLease(t.Context(), open.ID); err != nil || len(hash) == 0 {
		t.Errorf("the true row: %v", err)
	}
	h.redeemed(open.Ticket, h.mia, h.one)
}

// The key that asked ends, and its ticket with it, whatever the disk says of who asked.
func TestATicketOfARevokedKeyDoesNotLiveByAnotherKeysName(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "leases:write")
	open := h.newTicket(leaked, h.one)
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	h.notRedeemed("the ticket", open.Ticket)
	was := h.leaseRow(open)
	h.change(leaseTable, was, was.with("api_key_id", h.mia.keyID))
	h.both(func() {
		h.notRedeemed("the ticket in another key's name", open.Ticket)
		h.tamperedLeases(h.mia)
	})
	h.named("lease")
}

func TestARedeemedTicketIsNotOpenWhenItsRowIsPutBack(t *testing.T) {
	h := newHouse(t)
	open := h.newTicket(h.mia, h.one)
	yesterday := h.dump()
	h.redeemed(open.Ticket, h.mia, h.one)
	h.putBackLease(yesterday, open)
	h.both(func() {
		h.notRedeemed("a redeemed ticket", open.Ticket)
		h.tamperedLeases(h.mia)
	})
	h.works(h.mia, h.eve)
	h.named("lease")
}

func TestARevokedTicketIsNotOpenWhenItsRowIsPutBack(t *testing.T) {
	h := newHouse(t)
	open := h.newTicket(h.mia, h.one)
	yesterday := h.dump()
	_, err := h.as(h.mia).RevokeLease(t.Context(), open.ID)
	apptest.Must(t, err)
	h.putBackLease(yesterday, open)
	h.both(func() {
		h.notRedeemed("a revoked ticket", open.Ticket)
		h.tamperedLeases(h.mia)
	})
	h.named("lease")
}

// With the ledger of that day, the lease is open again, but then all else is of that day, too.
func TestARedeemedTicketIsNotOpenWithTheLedgerOfItsDay(t *testing.T) {
	h := newHouse(t)
	open := h.newTicket(h.mia, h.one)
	yesterday := h.dump()
	h.redeemed(open.Ticket, h.mia, h.one)
	h.putBackUser(yesterday, h.mia.id, "users", leaseTable)
	h.both(func() { h.notRedeemed("a redeemed ticket", open.Ticket) })
	h.named()
}

func TestALeaseWhoseEndIsHiddenIsNotOpen(t *testing.T) {
	h := newHouse(t)
	used, ended := h.newTicket(h.mia, h.one), h.newTicket(h.mia, h.one)
	h.redeemed(used.Ticket, h.mia, h.one)
	_, err := h.as(h.mia).RevokeLease(t.Context(), ended.ID)
	apptest.Must(t, err)
	h.set(leaseTable, used.ID, "redeemed_at", nil)
	h.set(leaseTable, ended.ID, "revoked_at", nil)
	h.both(func() {
		h.notRedeemed("a redeemed ticket", used.Ticket)
		h.notRedeemed("a revoked ticket", ended.Ticket)
		h.tamperedLeases(h.mia)
	})
	h.named(used.ID, ended.ID)
}

// What says that a ticket was redeemed, and is not what the ledger says, neither ends a lease nor
// lets one be used twice.
func TestALeaseThatTheDiskEndsIsStillRedeemedOnce(t *testing.T) {
	for _, column := range []string{"redeemed_at", "revoked_at", "disputed_at"} {
		t.Run(column, func(t *testing.T) {
			h := newHouse(t)
			open := h.newTicket(h.mia, h.one)
			h.set(leaseTable, open.ID, column, time.Now().UnixMicro())
			if column != "disputed_at" { // who reads that it was disputed is only misled
				h.tamperedLeases(h.mia)
				h.named("lease")
			}
			h.redeemed(open.Ticket, h.mia, h.one)
			if _, err := h.present(open.Ticket); err == nil {
				t.Error("the ticket was redeemed twice")
			}
		})
	}
}

func TestTwoLeasesOfAUserCannotBeSwapped(t *testing.T) {
	for name, columns := range map[string][]string{
		"whole":   nil,
		"tickets": {"ticket_hash"},
		"secrets": {"secrets"},
		"ends":    {"expires_at"},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			one, two := h.newTicket(h.mia, h.one), h.newTicket(h.mia, h.two)
			first, second := h.leaseRow(one), h.leaseRow(two)
			if columns == nil { // all but the id
				for c := range first {
					if c != "id" {
						columns = append(columns, c)
					}
				}
			}
			newFirst, newSecond := first.with(), second.with()
			for _, c := range columns {
				newFirst[c], newSecond[c] = second[c], first[c]
			}
			h.remove(leaseTable, first)
			h.change(leaseTable, second, newSecond)
			h.insert(leaseTable, newFirst)
			h.both(func() {
				h.notRedeemed("the first", one.Ticket)
				h.notRedeemed("the second", two.Ticket)
				h.tamperedLeases(h.mia)
			})
			h.named(one.ID, two.ID)
		})
	}
}

func TestTwoLeasesOfTwoUsersCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	mias, eves := h.newTicket(h.mia, h.one), h.newTicket(h.eve, h.eves)
	h.swapRows(leaseTable, h.leaseRow(mias), h.leaseRow(eves), "user_id")
	h.both(func() {
		h.notRedeemed("eve's ticket", eves.Ticket)
		h.notRedeemed("mia's ticket", mias.Ticket)
		h.tamperedLeases(h.mia)
		h.tamperedLeases(h.eve)
	})
	h.named(mias.ID, eves.ID)
}

// Eve's ticket leads to mia's lease.
func TestAnotherUsersTicketHashOpensNoLease(t *testing.T) {
	h := newHouse(t)
	mias, eves := h.newTicket(h.mia, h.one), h.newTicket(h.eve, h.eves)
	h.swapRows(leaseTable, h.leaseRow(mias), h.leaseRow(eves), "ticket_hash")
	h.both(func() {
		h.notRedeemed("eve's ticket", eves.Ticket)
		h.tamperedLeases(h.mia)
	})
	h.named(mias.ID)
}

// The attacker has a ticket of their own, of no lease, and a true row to copy from.
func TestALeaseThatWasInsertedHandsOutNothing(t *testing.T) {
	h := newHouse(t)
	genuine := h.leaseRow(h.newTicket(h.mia, h.one))
	token, hash := forgeToken("kst_")
	ticket := string(token.Reveal())
	forged := genuine.with("id", newID(), "ticket_hash", hash)
	for what, r := range map[string]row{
		"a lease":              forged,
		"one that is redeemed": forged.with("redeemed_at", genuine["created_at"]),
		"one that is ended":    forged.with("revoked_at", genuine["created_at"]),
		"one of eve's":         forged.with("user_id", h.eve.id),
		"one of nobody":        forged.with("api_key_id", newID()),
		"one that never ends":  forged.with("expires_at", int64(1<<62)),
		"one of a bundle":      forged.with("delivery", "bundle"),
	} {
		h.insert(leaseTable, r)
		got, err := h.present(ticket)
		if err == nil || len(got.Secrets) > 0 {
			t.Errorf("%s: it was redeemed", what)
		}
		h.remove(leaseTable, r)
	}
	h.insert(leaseTable, forged)
	h.both(func() {
		h.notRedeemed("a lease that was inserted", ticket)
		h.tamperedLeases(h.mia)
	})
	h.named(forged.text("id"))
}

func TestALeaseThatWasHiddenIsMissed(t *testing.T) {
	h := newHouse(t)
	open := h.newTicket(h.mia, h.one)
	was := h.leaseRow(open)
	h.remove(leaseTable, was)
	h.both(func() {
		h.notRedeemed("its ticket", open.Ticket)
		h.tamperedLeases(h.mia)
		_, err := h.as(h.mia).RevokeLease(t.Context(), open.ID)
		h.tampering("its revocation", err)
	})
	h.named("open leases")
	h.insert(leaseTable, was)
	h.redeemed(open.Ticket, h.mia, h.one)
}

func TestALeaseThatIsExchangedWhileItIsRedeemedIsRedeemedOnce(t *testing.T) {
	h := newHouse(t)
	for range 10 {
		open := h.newTicket(h.mia, h.one)
		was := h.leaseRow(open)
		h.flip(func() { h.putBack(leaseTable, was) }, func() {}, func() {
			given := 0
			for range 10 {
				if got, err := h.present(open.Ticket); err == nil {
					given += len(got.Secrets)
				}
			}
			if given > 1 {
				t.Errorf("the ticket was redeemed %d times", given)
			}
		})
	}
}

// The index of tickets leads a ticket that the attacker made to mia's lease, whatever its hash is.
func TestAnIndexThatLeadsATicketToAnotherLeaseOpensNothing(t *testing.T) {
	for name, hash := range map[string]string{
		"its own": "ticket_hash", "a short one": "x'01'", "a long one": "zeroblob(33)",
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			open := h.newTicket(h.mia, h.one)
			token, forged := forgeToken("kst_")
			h.lie(leaseTable, "leases_by_ticket", fmt.Sprintf(
				"UPDATE liar SET ticket_hash = x'%x'; UPDATE leases SET ticket_hash = %s",
				forged, hash))
			_, err := h.present(string(token.Reveal()))
			h.tampering("the ticket", err)
			h.notRedeemed("the true ticket", open.Ticket)
			h.works(h.mia, h.eve)
			h.named()
		})
	}
}

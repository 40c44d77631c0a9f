package attack_test

import (
	"bytes"
	"errors"
	"sync"
	"testing"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/wire"
)

// A leaseRace is a person's ticket that was asked for with a key of its own.
type leaseRace struct {
	person, asker Person
	secret        wire.Secret
	lease         wire.Lease
}

func (h *House) newLeaseRace() leaseRace {
	h.t.Helper()
	r := leaseRace{person: h.newPerson("racer-" + newID()[:13] + newID()[24:])}
	r.asker = h.newKey(r.person, "asker", "leases:write")
	r.secret = h.create(r.person, "ONE")
	r.lease = h.newTicket(r.asker, r.secret)
	return r
}

// releases returns how often the audit log of a person says that a lease handed something out.
func (h *House) releases(r leaseRace) int {
	h.t.Helper()
	return len(h.rows("audit_entries", "owner_id = ? AND lease_id = ? AND outcome = 'done' "+
		"AND action = 'lease.redeem' AND target_version > 0", r.person.id, r.lease.ID))
}

// Whatever ends a ticket has ended it when that is answered, and what was handed out before is in
// the audit log, also of a redemption that was on its way.
func TestARedemptionThatRunsAgainstItsEndIsBeforeItOrIsNone(t *testing.T) {
	for name, end := range map[string]func(h *House, r leaseRace) (delivered, says bool, err error){
		"the lease is revoked": func(h *House, r leaseRace) (bool, bool, error) {
			done, err := h.as(r.person).RevokeLease(t.Context(), r.lease.ID)
			return done.Delivered, true, err
		},
		"the API key that asked is revoked": func(h *House, r leaseRace) (bool, bool, error) {
			return false, false, h.as(r.person).RevokeAPIKey(t.Context(), r.asker.keyID)
		},
		"the user is disabled": func(h *House, r leaseRace) (bool, bool, error) {
			return false, false, h.as(h.ada).DisableUser(t.Context(), r.person.id)
		},
		"the user is deleted": func(h *House, r leaseRace) (bool, bool, error) {
			return false, false, h.as(h.ada).DeleteUserNow(t.Context(), r.person.id)
		},
		"the secret is deleted": func(h *House, r leaseRace) (bool, bool, error) {
			return false, false, h.as(r.person).DeleteSecret(t.Context(), r.secret.ID)
		},
		"somebody else redeems it": func(h *House, r leaseRace) (bool, bool, error) {
			_, err := h.present(r.lease.Ticket)
			return err == nil, false, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			won := 0
			for range 8 {
				r := h.newLeaseRace()
				var got bundle.Payload
				var redeemed error
				var both sync.WaitGroup
				both.Go(func() { got, redeemed = h.present(r.lease.Ticket) })
				delivered, says, err := end(h, r)
				apptest.Must(t, err)
				_, again := h.present(r.lease.Ticket) // while the first may still be on its way
				both.Wait()
				if again == nil {
					t.Error("the ticket was redeemed after its end")
				}
				if redeemed == nil {
					won++
				}
				if name == "somebody else redeems it" {
					if delivered == (redeemed == nil) {
						t.Errorf("of two, both or none got it: %v, %v", delivered, redeemed)
					}
					delivered = true
				} else if says && delivered != (redeemed == nil) {
					t.Errorf("it says %v of what was delivered, and the redemption %v", delivered,
						redeemed)
				}
				if n := h.releases(r); n != 0 && redeemed != nil && !delivered || n > 1 ||
					n == 0 && redeemed == nil {
					t.Errorf("the audit log has %d releases: %v", n, redeemed)
				}
				if redeemed == nil && !bytes.Equal(got.Secrets[0].Value.Reveal(),
					value(r.person, "ONE", "first").Reveal()) {
					t.Error("it was another value")
				}
			}
			t.Logf("%d of 8 were redeemed before", won)
			if found := failed(h.doctor("")); len(found) > 0 {
				t.Errorf("doctor: %q", found)
			}
		})
	}
}

func TestNoTicketIsRedeemedAfterALockdownBegan(t *testing.T) {
	h := newHouse(t)
	var races []leaseRace
	for range 6 {
		races = append(races, h.newLeaseRace())
	}
	results := make([]error, len(races))
	var all sync.WaitGroup
	for i, r := range races {
		all.Go(func() { _, results[i] = h.present(r.lease.Ticket) })
	}
	apptest.Must(t, maintenance.SetLockdown(t.Context(), h.cfg, nil, true))
	for heeded := false; !heeded; { // within a second
		_, err := h.as(h.mia).ListSecrets(t.Context())
		heeded = errors.Is(err, client.ErrUnavailable)
	}
	for _, r := range races {
		if _, err := h.present(r.lease.Ticket); err == nil {
			t.Error("a ticket was redeemed in a lockdown")
		}
	}
	all.Wait()
	for i, r := range races {
		if n := h.releases(r); (n == 1) != (results[i] == nil) {
			t.Errorf("the audit log has %d releases: %v", n, results[i])
		}
	}
}

package attack_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keysake/keysake/bundle"
	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/wire"
)

// leaseNamed makes a lease of a secret with a ticket by a request that has a name of the client's
// own.
func (h *House) leaseNamed(p Person, name string, s wire.Secret) (wire.Lease, error) {
	h.t.Helper()
	c, err := client.New(h.URL, p.key, client.WithoutSealing())
	apptest.Must(h.t, err)
	return c.CreateLease(client.WithIdempotencyKey(h.t.Context(), name), wire.CreateLease{
		SecretIDs: []string{s.ID}, Delivery: wire.DeliveryTicket,
	})
}

// conflict demands that a request is refused as one that was done before.
func (h *House) conflict(what string, got wire.Lease, err error) {
	h.t.Helper()
	if !errors.Is(err, client.ErrConflict) || got.Ticket != "" {
		h.t.Errorf("%s: %v", what, err)
	}
}

func TestWhatIsRememberedOfALeaseLeadsToNoOther(t *testing.T) {
	h := newHouse(t)
	first, err := h.leaseNamed(h.mia, "first", h.one)
	apptest.Must(t, err)
	second, err := h.leaseNamed(h.mia, "second", h.one)
	apptest.Must(t, err)
	eves, err := h.leaseNamed(h.eve, "first", h.eves)
	apptest.Must(t, err)
	ofLease := func(l wire.Lease) row { return h.row(doneTable, "resource_id = ?", l.ID) }
	genuine, other := ofLease(first), ofLease(second)
	for what, forged := range map[string]row{
		"another lease":           genuine.with("resource_id", second.ID),
		"a lease of eve's":        genuine.with("resource_id", eves.ID),
		"another request's code":  other.with("key_hash", genuine["key_hash"]),
		"another user's":          ofLease(eves).with("user_id", h.mia.id),
		"another request":         genuine.with("request_code", other["request_code"]),
		"a longer life":           genuine.with("expires_at", int64(1<<62)),
		"another instance's code": genuine.with("code", other["code"]),
	} {
		h.putBack(doneTable, forged)
		h.both(func() {
			_, err := h.leaseNamed(h.mia, "first", h.one)
			h.tampering(what, err)
		})
		h.named("request")
	}
	h.putBack(doneTable, genuine)
	again, err := h.leaseNamed(h.mia, "first", h.one)
	if err != nil || again.Ticket != first.Ticket {
		t.Errorf("the true row: %v", err)
	}
}

// The disk neither revives a lease nor says what is recorded of it: a ticket that ended is said
// again and is of no use.
func TestARequestForALeaseThatEndedRevivesNothing(t *testing.T) {
	h := newHouse(t)
	made, err := h.leaseNamed(h.mia, "name", h.one)
	apptest.Must(t, err)
	_, err = h.as(h.mia).RevokeLease(t.Context(), made.ID)
	apptest.Must(t, err)
	was := h.leaseRow(made)
	for what, changed := range map[string]row{
		"as it is":              was,
		"with another API key":  was.with("api_key_id", h.mia.keyID),
		"with a later end":      was.with("expires_at", time.Now().AddDate(1, 0, 0).UnixMicro()),
		"as one of a bundle":    was.with("delivery", "bundle"),
		"as redeemed":           was.with("redeemed_at", was["created_at"], "revoked_at", nil),
		"with another's secret": was.with("secrets", h.two.ID+" 1 - TWO\n"),
	} {
		h.putBack(leaseTable, changed)
		got, err := h.leaseNamed(h.mia, "name", h.one)
		h.conflict(what, got, err)
		if _, err := h.present(made.Ticket); err == nil {
			t.Errorf("%s: the ticket was redeemed", what)
		}
	}
}

// Who learns the name of a request, or records the request, and has an API key of the same user,
// gets no ticket that lives by the other key and is recorded as its.
func TestATicketIsSaidAgainToTheKeyThatAskedOnly(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "leases:write")
	made, err := h.leaseNamed(h.mia, "name", h.one)
	apptest.Must(t, err)
	got, err := h.leaseNamed(leaked, "name", h.one)
	h.conflict("another key", got, err)
	was := h.leaseRow(made)
	h.putBack(leaseTable, was.with("api_key_id", leaked.keyID))
	_, err = h.leaseNamed(leaked, "name", h.one)
	h.tampering("another key, in the row too", err)
	h.putBack(leaseTable, was)
	again, err := h.leaseNamed(h.mia, "name", h.one)
	if err != nil || again.Ticket != made.Ticket {
		t.Errorf("the same key: %v", err)
	}
}

// Nothing vouches for the row of a lease that was redeemed. What it says is for people, and in no
// entry of the audit log.
func TestTheDiskPutsNoWordsIntoTheAuditLog(t *testing.T) {
	h := newHouse(t)
	own, err := bundle.NewKey(bundle.X25519)
	apptest.Must(t, err)
	c, err := client.New(h.URL, h.mia.key, client.WithoutSealing())
	apptest.Must(t, err)
	asked := func() error {
		_, err := c.CreateLease(client.WithIdempotencyKey(t.Context(), "name"), wire.CreateLease{
			SecretIDs: []string{h.one.ID}, Delivery: wire.DeliveryBundle,
			Recipient: new(own.Recipient().String()),
		})
		return err
	}
	apptest.Must(t, asked())
	used := h.newTicket(h.mia, h.one)
	h.redeemed(used.Ticket, h.mia, h.one)
	h.exec(`UPDATE leases SET run_id = 'forged', run_label = 'forged', api_key_name = 'forged',
		secrets = replace(secrets, 'ONE', 'FORGED')`)
	apptest.Must(t, asked())
	if _, err := h.present(used.Ticket); !errors.Is(err, client.ErrConflict) {
		t.Errorf("the second redemption: %v", err)
	}
	_, err = h.as(h.mia).RevokeLease(t.Context(), used.ID)
	apptest.Must(t, err)
	for _, r := range h.chain(h.mia.id) {
		if strings.Contains(strings.ToLower(fmt.Sprint(r)), "forged") {
			t.Errorf("%s has a word of the attacker's", r["action"])
		}
	}
}

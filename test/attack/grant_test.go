package attack_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// platform makes eve's user that of a platform, with an API key that acts for others.
func (h *House) platform() Person {
	h.t.Helper()
	scopes := []string{"secrets:read", "leases:write", "act:user"}
	key, err := h.as(h.ada).CreateAPIKeyFor(
		h.t.Context(), h.eve.id, wire.CreateAPIKey{AllowedScopes: &scopes})
	apptest.Must(h.t, err)
	return Person{h.eve.name, h.eve.id, key.ID, plaintext.FromString(key.Key)}
}

// granted lets the platform act for a person.
func (h *House) granted(by, to Person, in wire.CreateUserGrant) wire.UserGrant {
	h.t.Helper()
	in.User = to.name
	made, err := h.as(by).CreateUserGrant(h.t.Context(), in)
	apptest.Must(h.t, err)
	return made
}

// acting returns a client of the platform that acts for mia.
func (h *House) acting(as Person) *client.Client {
	h.t.Helper()
	h.noticed()
	c, err := client.New(h.URL, as.key, client.ActingFor("mia"))
	apptest.Must(h.t, err)
	return c
}

// leasesNothing demands that the platform gets nothing of mia's.
func (h *House) leasesNothing(what string, as Person) {
	h.t.Helper()
	ticket := wire.CreateLease{SecretIDs: []string{h.one.ID}, Delivery: wire.DeliveryTicket}
	made, err := h.acting(as).CreateLease(h.t.Context(), ticket)
	h.refused(what, err)
	if made.Ticket != "" {
		h.notRedeemed(what, made.Ticket)
	}
	_, err = h.acting(as).ListSecrets(h.t.Context())
	h.refused(what, err)
}

func TestAGrantRowThatWasInsertedLetsNobodyAct(t *testing.T) {
	h := newHouse(t)
	platform := h.platform()
	inserted, _ := h.forgeKey(h.mia, "kind", "grant", "name", "eve",
		"scopes", "secrets:read leases:write", "terms", `{"user":"`+platform.id+`"}`)
	h.insert("api_keys", inserted)
	h.both(func() { h.leasesNothing("the inserted row", platform) })
	h.named()
}

func TestAnotherUsersGrantLetsNobodyActForTheVictim(t *testing.T) {
	h := newHouse(t)
	platform := h.platform()
	max := h.newPerson("max")
	g := h.granted(max, platform, wire.CreateUserGrant{})
	was := h.byID("api_keys", g.ID)
	for what, changed := range map[string]row{
		"the grant as mia's":           was.with("user_id", h.mia.id),
		"a copy of it as mia's":        was.with("user_id", h.mia.id).with("id", newID()),
		"below a key of mia's as well": was.with("user_id", h.mia.id).with("parent_id", h.mia.keyID),
	} {
		h.change("api_keys", was, changed)
		h.both(func() { h.leasesNothing(what, platform) })
		h.named()
		h.change("api_keys", changed, was)
	}
}

func TestAGrantThatWasChangedIsNone(t *testing.T) {
	h := newHouse(t)
	platform := h.platform()
	only := []string{h.two.ID}
	end := wire.Timestamp{Time: time.Now().Add(time.Hour)}
	g := h.granted(h.mia, platform, wire.CreateUserGrant{
		SecretIDs: &only, Scopes: &[]string{"secrets:read"}, ExpiresAt: &end,
	})
	was := h.byID("api_keys", g.ID)
	for what, changed := range map[string]row{
		"for all secrets":   was.with("terms", `{"user":"`+platform.id+`"}`),
		"for another":       was.with("terms", strings.Replace(was.text("terms"), h.two.ID, h.one.ID, 1)),
		"for another user":  was.with("terms", strings.Replace(was.text("terms"), platform.id, h.ada.id, 1)),
		"with more scopes":  was.with("scopes", "secrets:read leases:write"),
		"without an end":    was.with("expires_at", nil),
		"below another key": was.with("parent_id", ""),
		"as a rule":         was.with("kind", "trust"),
	} {
		h.change("api_keys", was, changed)
		h.leasesNothing(what, platform)
		h.named()
		h.change("api_keys", changed, was)
	}
	list, err := h.acting(platform).ListSecrets(t.Context())
	if err != nil || list.Total != 1 || list.Secrets[0].ID != h.two.ID {
		t.Errorf("the true row: %v (%v)", list, err)
	}
}

func TestAGrantIsNotThereAgainWhenItsRowIsPutBack(t *testing.T) {
	h := newHouse(t)
	platform := h.platform()
	g := h.granted(h.mia, platform, wire.CreateUserGrant{})
	ticket, err := h.acting(platform).CreateLease(t.Context(), wire.CreateLease{
		SecretIDs: []string{h.one.ID}, Delivery: wire.DeliveryTicket,
	})
	apptest.Must(t, err)
	grantThen, leaseThen := h.byID("api_keys", g.ID), h.leaseRow(ticket)
	apptest.Must(t, h.as(h.mia).RemoveUserGrant(t.Context(), g.ID))
	h.notRedeemed("after the withdrawal", ticket.Ticket)
	h.putBack("api_keys", grantThen)
	h.putBack(leaseTable, leaseThen)
	h.both(func() {
		h.leasesNothing("with the row put back", platform)
		h.notRedeemed("with the row put back", ticket.Ticket)
	})
	h.named()
}

// Whoever writes the database makes no lease of the platform live by another grant, or by none.
func TestALeaseOfAPlatformIsNotTheUsersOwn(t *testing.T) {
	h := newHouse(t)
	platform := h.platform()
	h.granted(h.mia, platform, wire.CreateUserGrant{})
	ticket, err := h.acting(platform).CreateLease(t.Context(), wire.CreateLease{
		SecretIDs: []string{h.one.ID}, Delivery: wire.DeliveryTicket,
	})
	apptest.Must(t, err)
	was := h.leaseRow(ticket)
	for what, changed := range map[string]row{
		"of mia's own key":   was.with("grant_id", "").with("acting_user_id", "").with("acting_username", ""),
		"by no grant":        was.with("grant_id", ""),
		"by another grant":   was.with("grant_id", uuid.NewString()),
		"by another user":    was.with("acting_user_id", h.ada.id),
		"by another name":    was.with("acting_username", "ada"),
		"with mia's own key": was.with("api_key_id", h.mia.keyID),
	} {
		h.change(leaseTable, was, changed)
		h.notRedeemed(what, ticket.Ticket)
		h.named("lease")
		h.change(leaseTable, changed, was)
	}
	h.redeemed(ticket.Ticket, h.mia, h.one)
}

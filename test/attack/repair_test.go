package attack_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// repair stops the server, repairs a person as the operator does who confirms everything, and
// starts it again.
func (h *House) repair(p Person) maintenance.RepairedUser {
	h.t.Helper()
	done, err := h.tryRepair(p)
	apptest.Must(h.t, err)
	h.Server = apptest.StartWith(h.t, h.cfg)
	return done
}

func (h *House) tryRepair(p Person) (maintenance.RepairedUser, error) {
	h.t.Helper()
	h.Stop(h.t)
	return maintenance.RepairUser(h.t.Context(), h.cfg, nil, p.id,
		func(maintenance.RepairedUser) error { return nil })
}

func taken(done maintenance.RepairedUser) string {
	var all []maintenance.NamedVersion
	for _, v := range done.Versions {
		all = append(all, maintenance.NamedVersion{Name: v.Name, Version: v.Version})
	}
	slices.SortFunc(all, func(a, b maintenance.NamedVersion) int {
		return strings.Compare(a.Name, b.Name)*10 + int(a.Version) - int(b.Version)
	})
	return names(all)
}

func TestAUserWithABrokenLedgerIsRepairedOfWhatOpensByItself(t *testing.T) {
	h := newHouse(t)
	h.breakLedger(h.mia)
	broken := h.dump()
	done := h.repair(h.mia)
	if taken(done) != "ONE 1, ONE 2, TWO 1" || len(done.LeftOut) > 0 || done.APIKeys != 1 ||
		done.Signed || !slices.Contains(done.NamedInLog, "mia") {
		t.Errorf("it is %+v", done)
	}
	h.refusedKey(h.mia.key)
	h.works(h.ada, h.eve)
	mia := h.again(h.mia)
	h.isRepaired(mia, true)
	h.is(mia, h.one, "second")
	h.is(mia, h.two, "first")
	h.sound()
	h.recorded("user.repair", h.mia)
	// it stays until she confirms it, also after she was disabled
	apptest.Must(t, h.as(h.ada).DisableUser(t.Context(), h.mia.id))
	apptest.Must(t, h.as(h.ada).EnableUser(t.Context(), h.mia.id))
	h.isRepaired(mia, true)
	h.both(func() {
		apptest.Must(t, h.as(mia).ConfirmRepair(t.Context()))
		h.isRepaired(mia, false)
	})
	h.sound()
	// what was there before counts no more, neither row by row nor whole
	for _, r := range broken["secrets"] {
		if r["user_id"] == h.mia.id {
			h.putBack("secrets", r)
		}
	}
	h.tamperedList(mia)
	h.putBackUser(broken, h.mia.id)
	h.both(func() {
		h.refusedKey(h.mia.key)
		h.refusedKey(mia.key)
	})
}

// isRepaired demands that the list of users and the user's own account say it, or do not.
func (h *House) isRepaired(p Person, want bool) {
	h.t.Helper()
	list, err := h.as(h.ada).ListUsers(h.t.Context())
	apptest.Must(h.t, err)
	for _, u := range list.Users {
		if u.Repaired != (want && u.ID == p.id) {
			h.t.Errorf("the list says of %s: repaired %v", u.Username, u.Repaired)
		}
	}
	me, err := h.as(p).WhoAmI(h.t.Context())
	if err != nil || me.Repaired != want {
		h.t.Errorf("%s is repaired: %v (%v)", p.name, me.Repaired, err)
	}
}

func TestTheDiskDoesNotConfirmARepair(t *testing.T) {
	h := newHouse(t)
	h.breakLedger(h.mia)
	h.repair(h.mia)
	h.set("users", h.mia.id, "repaired_at", nil)
	h.both(func() { h.broken(h.mia) })
	h.named()
}

func TestARepairTakesNothingThatWasForged(t *testing.T) {
	h := newHouse(t)
	_, root := h.rootKeyFile()
	foreign := h.newOwnerKey()
	h.insert("owner_keys", h.ownerKeyRow(h.mia, root, foreign))
	forged, token := h.forgeKey(h.mia)
	h.insert("api_keys", forged)
	h.set("secrets", h.one.ID, "name", "PATH") // its mask was sealed with its name
	eves := h.byID("secrets", h.eves.ID)
	h.insert("secrets", eves.with("id", newID(), "user_id", h.mia.id))
	h.breakLedger(h.mia)
	done := h.repair(h.mia)
	if taken(done) != "TWO 1" || len(done.LeftOut) != 3 {
		t.Errorf("it is %+v", done)
	}
	h.refusedKey(token)
	mia := h.again(h.mia)
	h.is(mia, h.two, "first")
	if len(h.rows("owner_keys", "user_id = ?", h.mia.id)) != 1 {
		t.Error("the foreign owner key is still there")
	}
	h.notSealedBy(foreign.ID())
	h.works(h.eve)
	h.sound()
}

// An owner key that was rotated away may have leaked: what it sealed does not come back, though it
// opens.
func TestARepairRevivesNoOwnerKeyThatWasRotatedAway(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.rotateOwnerKey(h.mia))
	h.putBack("owner_keys", h.ownerKeyOf(yesterday, h.mia))
	h.putBack("secrets", yesterday.row("secrets", "id", h.two.ID))
	h.breakLedger(h.mia)
	done := h.repair(h.mia)
	if taken(done) != "ONE 1, ONE 2" || len(done.LeftOut) != 1 {
		t.Errorf("it is %+v", done)
	}
	h.refusedSecret(h.again(h.mia), h.two.ID)
	h.sound()
}

func (h *House) ownerKeyOf(d dump, p Person) row {
	h.t.Helper()
	for _, r := range d["owner_keys"] {
		if r["user_id"] == p.id {
			return r
		}
	}
	h.t.Fatal("there is no owner key")
	return nil
}

// The one thing that a repair can revive: a row of yesterday that the same owner key sealed. The
// operator sees its version, time and mask.
func TestARepairShowsAnOldSecretThatItRevives(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.two.ID, "TWO", "second")
	h.putBack("secrets", yesterday.row("secrets", "id", h.two.ID))
	h.breakLedger(h.mia)
	done := h.repair(h.mia)
	if taken(done) != "ONE 1, ONE 2, TWO 1" || len(done.LeftOut) != 1 {
		t.Errorf("it is %+v", done)
	}
	for _, v := range done.Versions {
		if v.Mask == "" || v.CreatedAt.IsZero() {
			t.Errorf("%s version %d has no mask or no time", v.Name, v.Version)
		}
	}
	h.is(h.again(h.mia), h.two, "first")
	h.isRepaired(h.again(h.mia), true)
}

// Where the ledger verifies, a row of yesterday is not taken in the place of one that was removed.
func TestARepairBelievesALedgerThatVerifies(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.two.ID, "TWO", "second")
	h.putBack("secrets", yesterday.row("secrets", "id", h.two.ID))
	done := h.repair(h.mia)
	if taken(done) != "ONE 1, ONE 2" || !done.Signed || done.UnprovedEntries != 0 {
		t.Errorf("it is %+v", done)
	}
	h.isNot(h.again(h.mia), h.two, "first")
	h.sound()
}

func TestAUserWhoIsWholeIsNotRepaired(t *testing.T) {
	h := newHouse(t)
	before := h.dump()
	_, err := h.tryRepair(h.mia)
	if err == nil || !strings.Contains(err.Error(), "nothing to repair") {
		t.Errorf("it was not refused: %v", err)
	}
	h.unchanged(before, "users", "secrets", "api_keys", "owner_keys", "audit_entries")
}

func TestADeletedUserIsNotRepaired(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.ada).DeleteUserNow(t.Context(), h.mia.id))
	h.putBackUser(yesterday, h.mia.id)
	signed := bytes.Clone(h.byID("users", h.mia.id)["ledger"].([]byte))
	signed[100] ^= 1
	h.set("users", h.mia.id, "ledger", signed)
	if _, err := h.tryRepair(h.mia); err == nil {
		t.Error("she was repaired")
	}
	h.Server = apptest.StartWith(t, h.cfg)
	h.refusedKey(h.mia.key)
}

// Nothing vouches for a name: the operator is told which one the audit log has.
func TestARepairSaysWhichNameTheAuditLogHas(t *testing.T) {
	h := newHouse(t)
	h.swapRows("users", h.byID("users", h.mia.id), h.byID("users", h.eve.id), "username")
	h.breakLedger(h.mia)
	h.Stop(t)
	done, _ := maintenance.RepairUser(t.Context(), h.cfg, nil, h.mia.id,
		func(maintenance.RepairedUser) error { return errNo })
	if done.User != "eve" || !slices.Equal(done.NamedInLog, []string{"mia"}) {
		t.Errorf("the row has the name %s, the audit log %s", done.User, done.NamedInLog)
	}
}

func TestNobodyIsRepairedBesideAServer(t *testing.T) {
	h := newHouse(t)
	h.breakLedger(h.mia)
	before := h.dump()
	_, err := maintenance.RepairUser(t.Context(), h.cfg, nil, "mia",
		func(maintenance.RepairedUser) error { return nil })
	if err == nil || !strings.Contains(err.Error(), "another keysake is running") {
		t.Errorf("it was not refused: %v", err)
	}
	h.unchanged(before, "users", "secrets", "api_keys", "owner_keys", "audit_entries")
}

// ticket makes a ticket for a secret of a person.
func (h *House) ticket(p Person, id string) plaintext.Value {
	h.t.Helper()
	var made vault.Delivered
	h.opened(p, func(v *vault.Service, who vault.Actor) error {
		ids, err := vault.NewSecretIDs([]string{id})
		apptest.Must(h.t, err)
		ttl, err := vault.NewTTL(3600)
		apptest.Must(h.t, err)
		made, err = v.CreateLease(h.t.Context(), who, vault.LeaseRequest{
			Secrets: ids, Delivery: vault.ByTicket, TTL: ttl,
		})
		return err
	})
	return made.Ticket
}

// opened calls use with the vault of the house, for a person.
func (h *House) opened(p Person, use func(*vault.Service, vault.Actor) error) {
	h.t.Helper()
	i, err := instance.Open(
		h.t.Context(), h.cfg, instance.NewKeys(h.cfg, nil), instance.Shared)
	apptest.Must(h.t, err)
	who, err := i.Vault.Authenticate(h.t.Context(), p.key)
	apptest.Must(h.t, err)
	apptest.Must(h.t, errors.Join(use(i.Vault, who), i.Close()))
}

// A ticket that was open when a ledger broke opens nothing after either way back.
func TestNoTicketSurvivesARestoreOrARepairOfItsUser(t *testing.T) {
	for name, back := range map[string]func(h *House, file string){
		"restore": func(h *House, file string) {
			_, err := h.restoreUser(file, h.mia)
			apptest.Must(h.t, err)
		},
		"repair": func(h *House, _ string) { h.repair(h.mia) },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			ticket := h.ticket(h.mia, h.one.ID)
			file := h.backup()
			before := h.dump()
			counts := func(want bool) {
				t.Helper()
				h.opened(h.ada, func(v *vault.Service, _ vault.Actor) error {
					_, err := v.AuthenticateTicket(t.Context(), ticket)
					if (err == nil) != want {
						t.Errorf("the ticket counts: %v", err)
					}
					return nil
				})
			}
			counts(true)
			h.breakLedger(h.mia)
			back(h, file)
			counts(false)
			h.sound()
			for _, r := range before["leases"] {
				h.putBack("leases", r)
			}
			counts(false)
			h.named()
		})
	}
}

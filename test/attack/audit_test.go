package attack_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/maintenance"
)

func (h *House) chain(owner string) []row {
	h.t.Helper()
	return h.rows("audit_entries", "owner_id = ? ORDER BY seq", owner)
}

// setHead makes a row's end of the chain another one, where the row says that in the clear.
func (h *House) setHead(table, id string, last row) {
	h.t.Helper()
	was := h.byID(table, id)
	h.change(table, was, was.ifAny("audit_seq", last["seq"], "audit_hash", last["hash"]))
}

// entry returns what is hashed of a row.
func entry(r row) audit.Entry {
	id := func(column string) uuid.UUID {
		parsed, _ := uuid.Parse(r.text(column))
		return parsed
	}
	number := func(column string) int64 { n, _ := r[column].(int64); return n }
	client, _ := netip.ParseAddr(r.text("client"))
	return audit.Entry{
		Owner: id("owner_id"), At: time.UnixMicro(number("at")).UTC(), User: id("user_id"),
		Credential: audit.Credential{
			Kind: audit.CredentialKind(r.text("credential_kind")), ID: id("credential_id"),
		},
		OnBehalfOf: id("on_behalf_of"), Client: client, Action: r.text("action"),
		Outcome: audit.Outcome(r.text("outcome")),
		Target: audit.Target{
			Kind: audit.TargetKind(r.text("target_kind")), ID: id("target_id"),
			Name: r.text("target_name"), Version: uint64(number("target_version")),
		},
		Lease: id("lease_id"), Run: r.text("run"),
	}
}

// rewrite replaces a chain by one of other entries, with right numbers, hashes and end.
func (h *House) rewrite(table, owner string, entries []row) {
	h.t.Helper()
	h.drop("audit_entries", "owner_id = ?", owner)
	var head audit.Head
	for i, r := range entries {
		e := entry(r)
		head = head.Append(&e)
		entries[i] = r.with("seq", int64(head.Seq), "hash", append([]byte(nil), head.Hash[:]...))
		h.insert("audit_entries", entries[i])
	}
	h.setHead(table, owner, entries[len(entries)-1])
}

func TestAnAuditEntryThatWasChangedIsNamed(t *testing.T) {
	h := newHouse(t)
	last := h.chain(h.mia.id)[2]
	h.change("audit_entries", last, last.with("action", "secret.delete"))
	h.named("audit")
}

func TestAnAuditEntryThatWasRemovedFromTheMiddleIsNamed(t *testing.T) {
	h := newHouse(t)
	h.remove("audit_entries", h.chain(h.mia.id)[2])
	h.named("audit")
}

func TestTwoAuditEntriesThatWereSwappedAreNamed(t *testing.T) {
	h := newHouse(t)
	c := h.chain(h.mia.id)
	h.remove("audit_entries", c[1])
	h.remove("audit_entries", c[2])
	h.insert("audit_entries", c[1].with("seq", c[2]["seq"]))
	h.insert("audit_entries", c[2].with("seq", c[1]["seq"]))
	h.named("audit")
}

func TestAnAuditChainThatWasCutIsNamed(t *testing.T) {
	h := newHouse(t)
	c := h.chain(h.mia.id)
	h.remove("audit_entries", c[len(c)-1])
	h.named("audit")
	h.setHead("users", h.mia.id, c[len(c)-2])
	h.named("audit")
}

func TestAnAuditChainThatLostItsBeginningIsNamed(t *testing.T) {
	h := newHouse(t)
	h.rewrite("users", h.mia.id, h.chain(h.mia.id)[1:])
	h.named("audit")
}

func TestAnAuditChainThatWasRecomputedIsNamed(t *testing.T) {
	h := newHouse(t)
	c := h.chain(h.mia.id)
	c[1] = c[1].with("action", "secret.delete")
	h.rewrite("users", h.mia.id, c)
	h.named("audit")
}

func TestAnAuditChainThatWasDroppedIsNamed(t *testing.T) {
	h := newHouse(t)
	h.drop("audit_entries", "owner_id = ?", h.mia.id)
	h.setHead("users", h.mia.id, row{"seq": int64(0), "hash": make([]byte, 32)})
	h.named("audit")
}

func TestTheAuditChainOfTheInstanceThatWasRecomputedIsNamed(t *testing.T) {
	h := newHouse(t)
	id := h.rows("instance", "1")[0].text("id")
	_, err := maintenance.Backup(t.Context(), h.cfg, nil, t.TempDir()+"/backup", false)
	apptest.Must(t, err)
	c := h.chain(id)
	h.rewrite("instance", id, c[:len(c)-1])
	h.named("audit")
}

func TestTheAuditEntriesOfTwoUsersCannotBeSwapped(t *testing.T) {
	h := newHouse(t)
	mias, eves := h.chain(h.mia.id), h.chain(h.eve.id)
	h.remove("audit_entries", mias[1])
	h.remove("audit_entries", eves[1])
	h.insert("audit_entries", mias[1].with("owner_id", h.eve.id, "seq", eves[1]["seq"]))
	h.insert("audit_entries", eves[1].with("owner_id", h.mia.id, "seq", mias[1]["seq"]))
	h.named("audit")
}

func TestTheAuditChainOfADeletedUserCannotBeDropped(t *testing.T) {
	h := newHouse(t)
	apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
	h.drop("audit_entries", "owner_id = ?", h.mia.id)
	h.drop("users", "id = ?", h.mia.id)
	h.named()
}

func TestAChangeIsNotAppendedToAChainThatWasCut(t *testing.T) {
	h := newHouse(t)
	c := h.chain(h.mia.id)
	h.remove("audit_entries", c[len(c)-1])
	h.setHead("users", h.mia.id, c[len(c)-2])
	before := h.dump()
	h.both(func() {
		_, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, newName()))
		if err != nil {
			h.tampering("a create", err)
		}
	})
	if len(h.rows("secrets", "1")) == len(before["secrets"]) {
		h.unchanged(before, "users", "secrets")
	}
	h.named("audit")
}

func TestAUserWhoWasDroppedIsNamedByDoctorWithABackup(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	for _, table := range []string{
		"api_keys", "secrets", "secret_versions", "owner_keys", "audit_entries", "users",
	} {
		h.exec("DELETE FROM "+table+" WHERE "+h.ofUser(table)+" = ?", h.mia.id)
	}
	h.namedBy(h.doctor(file))
}

func TestADatabaseThatWasPutBackIsNamedByDoctorWithABackup(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	file := h.backup()
	h.putBackAll(yesterday)
	h.namedBy(h.doctor(file))
}

func TestAUserWhoWasPutBackIsNamedByDoctorWithABackup(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	file := h.backup()
	h.putBackUser(yesterday, h.mia.id)
	h.namedBy(h.doctor(file))
}

func TestTwoHistoriesOfOneDatabaseAreNamedByDoctorWithABackup(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	file := h.backup()
	h.Stop(t)
	h.putBackAll(yesterday)
	if h.start() != nil {
		return
	}
	for n := range 3 { // longer than the other one
		_, _ = h.as(h.mia).UpdateSecret(t.Context(), h.two.ID, updateTo(h.mia, "TWO", n))
	}
	h.namedBy(h.doctor(file))
}

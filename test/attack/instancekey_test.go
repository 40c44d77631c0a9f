package attack_test

import (
	"bytes"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/seal"
)

// instanceKeyRow returns a row for an instance key of the attacker's that the true root key wraps,
// as a key service does for everyone who may ask it.
func (h *House) instanceKeyRow(key seal.InstanceKey, root seal.RootKey) row {
	h.t.Helper()
	wrapped, err := root.WrapInstance(h.t.Context(), key)
	apptest.Must(h.t, err)
	return row{
		"id": key.ID().String(), "root_key_id": root.ID().String(), "wrapped": wrapped,
		"successions": "", "created_at": int64(1_700_000_000_000_000),
	}
}

// signed returns a ledger as a key of the attacker's signs it.
func (h *House) signed(ledger any, key seal.InstanceKey) []byte {
	h.t.Helper()
	b, ok := ledger.([]byte)
	if !ok || len(b) < 64 {
		h.t.Fatal("there is no signed ledger")
	}
	b = bytes.Clone(b)
	id := key.ID()
	copy(b[1:17], id[:])
	code := key.LedgerMAC(b[:len(b)-32])
	return append(b[:len(b)-32], code[:]...)
}

// foreignInstanceKey signs mia's ledger with an instance key of the attacker's.
func foreignInstanceKey(h *House, root seal.RootKey) {
	h.t.Helper()
	key, err := seal.NewInstanceKey()
	apptest.Must(h.t, err)
	h.insert("instance_keys", h.instanceKeyRow(key, root))
	h.set("users", h.mia.id, "ledger", h.signed(h.byID("users", h.mia.id)["ledger"], key))
	refusedUser(h, h.mia, h.ada, h.eve)
}

func TestALedgerThatAForeignInstanceKeySignedIsNone(t *testing.T) {
	h := newHouse(t)
	foreignInstanceKey(h, h.trueRootKey())
}

func TestALedgerThatAnInstanceKeyOfAForeignRootKeySignedIsNone(t *testing.T) {
	h := newHouse(t)
	path, root := h.rootKeyFile()
	h.insert("root_keys", h.rootKeyRow(root, fileURL(path), "replaced"))
	foreignInstanceKey(h, root)
}

func TestAForeignInstanceKeyInThePlaceOfTheTrueOneSignsNothing(t *testing.T) {
	h := newHouse(t)
	key, err := seal.NewInstanceKey()
	apptest.Must(t, err)
	own := h.row("instance_keys", "1")
	h.change("instance_keys", own,
		h.instanceKeyRow(key, h.trueRootKey()).with("id", own["id"]))
	if h.start() == nil {
		t.Error("the next server started")
	}
	h.named()
}

func TestAForeignInstanceKeyAloneSignsNothing(t *testing.T) {
	h := newHouse(t)
	key, err := seal.NewInstanceKey()
	apptest.Must(t, err)
	h.exec("DELETE FROM instance_keys")
	h.insert("instance_keys", h.instanceKeyRow(key, h.trueRootKey()))
	if h.start() == nil {
		t.Error("the next server started")
	}
	id := key.ID()
	for column, v := range h.byID("users", h.mia.id) {
		if b, ok := v.([]byte); ok && bytes.Contains(b, id[:]) {
			t.Errorf("%s is signed by a key of the attacker's", column)
		}
	}
	h.named()
}

func TestAnInstanceKeyThatWasRemovedIsNotMadeAnew(t *testing.T) {
	h := newHouse(t)
	h.exec("DELETE FROM instance_keys")
	if h.start() == nil {
		t.Error("the next server started")
	}
	if n := len(h.rows("instance_keys", "1")); n > 0 {
		t.Errorf("%d instance keys were made", n)
	}
	h.named()
}

func TestADatabaseThatWasEmptiedIsNotTakenForANewOne(t *testing.T) {
	h := newHouse(t)
	h.Stop(t)
	for _, table := range h.tables() {
		h.exec("DELETE FROM " + table)
	}
	if h.start() == nil {
		t.Error("the next server started")
	}
	h.named()
}

func TestALedgerOfTheInstanceThatIsMissingIsNotMadeAnew(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	apptest.Must(t, h.as(h.ada).DeleteUser(t.Context(), h.mia.id))
	h.putBackUser(yesterday, h.mia.id)
	h.exec("DELETE FROM instance")
	h.refusedKey(h.mia.key)
	if h.start() == nil {
		h.refusedKey(h.mia.key)
		_, err := h.open(h.mia, h.one.ID)
		h.refused("a value", err)
		if err := h.as(h.ada).DeleteUser(t.Context(), h.eve.id); err != nil {
			h.refused("the delete of another user", err)
		}
		h.refusedKey(h.mia.key)
	}
	h.named()
}

func TestALedgerThatIsMissingIsNotANewUsers(t *testing.T) {
	for name, value := range map[string]any{"empty": []byte{}, "NULL": nil} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			for _, column := range blobs(h.byID("users", h.mia.id)) {
				h.store("users", h.mia.id, column, value)
			}
			if h.byID("users", h.mia.id).has("number") {
				h.set("users", h.mia.id, "number", int64(0))
			}
			h.both(func() {
				_, err := h.as(h.mia).CreateSecret(t.Context(), secretOf(h.mia, newName()))
				h.tampering("a create", err)
				_, err = h.as(h.mia).ListSecrets(t.Context())
				h.tampering("a list", err)
				h.works(h.eve)
			})
			h.named()
		})
	}
}

// sharing returns a second house, whose operator's key service keeps the root keys of both.
func (h *House) sharing() *House {
	h.t.Helper()
	return newHouseWith(h.t, "file:"+h.cfg.Data+".root-key")
}

func TestAUserOfAnotherHouseWithTheSameRootKeyIsNone(t *testing.T) {
	h := newHouse(t)
	other := h.sharing()
	there := h.dump()
	for _, table := range []string{
		"users", "owner_keys", "api_keys", "secrets", "secret_versions", "audit_entries",
	} {
		for _, r := range there[table] {
			if c := h.ofUser(table); r[c] == h.mia.id {
				if table == "users" {
					r = r.with("username", "mia-of-there")
				}
				other.insert(table, r)
			}
		}
	}
	inserted, token := h.forgeKey(h.mia, "parent_id", "")
	other.insert("api_keys", inserted)
	other.both(func() {
		other.refusedKey(h.mia.key)
		other.refusedKey(token)
		_, err := other.open(h.mia, h.one.ID)
		other.refused("a value", err)
		other.works(other.mia, other.eve)
	})
	other.named()
}

func TestAWholeUserUnderAnotherIDIsNone(t *testing.T) {
	h := newHouse(t)
	id := newID()
	there := h.dump()
	for _, table := range h.tables() {
		c := h.ofUser(table)
		for _, r := range there[table] {
			if c != "" && r[c] == h.mia.id {
				h.remove(table, r)
				h.insert(table, r.with(c, id).ifAny("user_id", id))
			}
		}
	}
	h.set("users", id, "id", id)
	h.both(func() { h.refusedKey(h.mia.key) })
	h.named()
}

func TestASecondOwnerKeyRowIsNamedAndUsedForNothing(t *testing.T) {
	h := newHouse(t)
	h.insert("owner_keys", h.ownerKey(h.mia).with("id", uuid.NewString()))
	h.works(h.mia)
	h.named()
}

package attack_test

import (
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/maintenance"
)

// A copied is a house with what mia did in it after it was restored.
type copied struct {
	*House

	later Person // a key that she made
}

// copies returns a house and two that were restored from its backup. Since then, a secret has two
// more versions in each, and mia has made an API key.
func copies(t *testing.T) map[string]copied {
	t.Helper()
	h := newHouse(t)
	file := h.backup()
	all := map[string]copied{}
	for name, house := range map[string]*House{
		"the house": h, "a copy": h.restoredHouse(file), "another copy": h.restoredHouse(file),
	} {
		house.update(house.mia, house.one.ID, "ONE", name)
		house.update(house.mia, house.one.ID, "ONE", name+" again")
		all[name] = copied{house, house.newKey(house.mia, name, everyScope...)}
	}
	return all
}

// across calls try for each two of some houses, and undoes what it changed in the second.
func across(
	t *testing.T, all map[string]copied, undo func(to *House, before dump),
	try func(from dump, key Person, to *House),
) {
	t.Helper()
	dumps := map[string]dump{}
	for name, house := range all {
		dumps[name] = house.dump()
	}
	for from := range all {
		for to, house := range all {
			if from == to {
				continue
			}
			before := house.dump() // with what the server has recorded since
			try(dumps[from], all[from].later, house.House)
			if t.Failed() {
				t.Fatalf("that was of %s in %s", from, to)
			}
			undo(house.House, before)
		}
	}
}

func TestNoRowOfAHouseCountsInACopyOfItOrTheReverse(t *testing.T) {
	across(t, copies(t), (*House).putBackUsers, func(from dump, key Person, to *House) {
		before := to.dump()
		put := func(table string) {
			// The ledgers stay: the server may have recorded what it found meanwhile.
			to.putBackUser(before, to.mia.id, "api_keys", "secrets", "secret_versions")
			to.works(to.mia, to.eve)
			for _, r := range from[table] {
				if r["user_id"] == to.mia.id {
					to.putBack(table, r)
				}
			}
		}
		put("api_keys")
		to.refusedKey(key.key)
		put("secrets")
		to.tamperedList(to.mia)
		to.refusedSecret(to.mia, to.one.ID)
		put("secret_versions")
		_, err := to.as(to.mia).ListVersions(t.Context(), to.one.ID)
		to.tampering("the versions", err)
	})
}

func TestNoUserOfAHouseCountsWholeInACopyOfItOrTheReverse(t *testing.T) {
	across(t, copies(t), (*House).putBackUsers, func(from dump, key Person, to *House) {
		to.putBackUser(from, to.mia.id)
		for _, r := range from["users"] {
			if r["id"] == to.mia.id {
				to.putBack("users", r)
			}
		}
		for _, r := range from["instance_keys"] {
			to.putBack("instance_keys", r)
		}
		to.refusedKey(to.mia.key)
		to.refusedKey(key.key)
		_, err := to.open(to.mia, to.one.ID)
		to.refused("the value", err)
		to.works(to.eve)
	})
}

func TestAWholeDatabaseOfAHouseIsNotServedForACopyOfItOrTheReverse(t *testing.T) {
	across(t, copies(t), (*House).putBackAll, func(from dump, key Person, to *House) {
		to.putBackAll(from)
		to.refusedKey(key.key)
		to.refusedKey(to.mia.key)
		to.refusedKey(to.ada.key)
	})
}

func TestAnAPIKeyThatWasRevokedDoesNotComeBackWithABackup(t *testing.T) {
	h := newHouse(t)
	stolen := h.newKey(h.mia, "stolen", everyScope...)
	file := h.backup()
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), stolen.keyID))
	other := *h
	other.cfg = h.elsewhere()
	done, err := maintenance.Restore(
		t.Context(), other.cfg, nil, file, maintenance.RestoreOptions{})
	apptest.Must(t, err)
	if done.Suspended != 4 || done.Username != "ada" {
		t.Errorf("%d API keys are suspended, and %s got one", done.Suspended, done.Username)
	}
	other.Server = apptest.StartWith(t, other.cfg)
	other.connect()
	for _, p := range []Person{stolen, h.mia, h.eve, h.ada} {
		other.refusedKey(p.key)
	}
	other.ada.key = done.Key
	other.works(other.ada)
	users, err := other.as(other.ada).ListUsers(t.Context())
	if err != nil || users.Total != 3 {
		t.Errorf("%d users: %v", users.Total, err)
	}
	// nor does the row that says that it is not suspended
	other.set("api_keys", stolen.keyID, "suspended", 0)
	other.refusedKey(stolen.key)
}

func TestAUserOfAChangedBackupIsNamedAndOnlyLeftOutIfTheOperatorSaysSo(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.changeBackup(file, func(b *changedBackup) {
		b.set("api_keys", "user_id", h.eve.id, "scopes", "admin keys:write")
	})
	cfg := h.elsewhere()
	o := maintenance.RestoreOptions{}
	_, err := maintenance.Restore(t.Context(), cfg, nil, file, o)
	if err == nil || !strings.Contains(err.Error(), "--skip-user eve") ||
		strings.Contains(err.Error(), "--skip-user mia") {
		t.Errorf("the refusal is %v", err)
	}
	o.SkipUsers = []string{"eve"}
	done, err := maintenance.Restore(t.Context(), cfg, nil, file, o)
	apptest.Must(t, err)
	if done.Users != 2 {
		t.Errorf("%d users were restored", done.Users)
	}
	other := *h
	other.cfg, other.Server = cfg, apptest.StartWith(t, cfg)
	other.connect()
	other.refusedKey(h.eve.key)
	if n := len(other.rows("secrets", "user_id = ?", h.eve.id)); n > 0 {
		t.Errorf("%d of eve's secrets were loaded", n)
	}
	other.ada.key = done.Key
	other.works(other.ada)
	for _, c := range failed(other.doctor("")) {
		t.Error(c)
	}
}

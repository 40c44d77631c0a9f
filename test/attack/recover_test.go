package attack_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/maintenance"
)

// breakLedger makes a person's ledger one that does not verify.
func (h *House) breakLedger(p Person) {
	h.t.Helper()
	signed := bytes.Clone(h.byID("users", p.id)["ledger"].([]byte))
	signed[len(signed)-1] ^= 1
	h.set("users", p.id, "ledger", signed)
	h.broken(p)
}

// restoreUser puts a person of a backup back, as the operator does who confirms everything.
func (h *House) restoreUser(
	file string, p Person, change ...func(*maintenance.UserRestoreOptions),
) (maintenance.RestoredUser, error) {
	h.t.Helper()
	o := maintenance.UserRestoreOptions{
		User: p.name, Confirm: func(maintenance.RestoredUser) error { return nil },
	}
	for _, c := range change {
		c(&o)
	}
	return maintenance.RestoreUser(h.t.Context(), h.cfg, nil, file, o)
}

// again gives a person a new API key by the admin.
func (h *House) again(p Person) Person {
	h.t.Helper()
	key, err := h.as(h.ada).CreateAPIKeyFor(h.t.Context(), p.id, wireKey("again", everyScope))
	apptest.Must(h.t, err)
	return Person{p.name, p.id, key.ID, tokenOf(key)}
}

// sound demands that doctor finds nothing.
func (h *House) sound() {
	h.t.Helper()
	if found := failed(h.doctor("")); len(found) > 0 {
		h.t.Errorf("doctor: %q", found)
	}
}

var errNo = errors.New("not confirmed")

func names(versions []maintenance.NamedVersion) string {
	var all []string
	for _, v := range versions {
		all = append(all, fmt.Sprint(v.Name, " ", v.Version))
	}
	return strings.Join(all, ", ")
}

func TestAUserWithABrokenLedgerComesBackFromABackup(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", everyScope...)
	file := h.backup()
	apptest.Must(t, h.as(h.mia).RevokeAPIKey(t.Context(), leaked.keyID))
	h.update(h.mia, h.one.ID, "ONE", "third")
	apptest.Must(t, h.as(h.mia).DeleteSecret(t.Context(), h.two.ID))
	h.create(h.mia, "LATE")
	eves := h.byID("secrets", h.eves.ID)
	h.breakLedger(h.mia)
	broken := h.dump()
	done, err := h.restoreUser(file, h.mia)
	apptest.Must(t, err)
	if got := names(done.Lost); got != "LATE 1, ONE 3" {
		t.Errorf("lost: %s", got)
	}
	if got := names(done.Back); got != "TWO 1" {
		t.Errorf("coming back: %s", got)
	}
	if done.Whole || done.Suspended != 2 || done.UnprovedEntries != 4 || done.LostEntries != 0 {
		t.Errorf("it is %+v", done)
	}
	h.both(func() {
		h.refusedKey(h.mia.key)
		h.refusedKey(leaked.key)
		h.works(h.ada, h.eve)
	})
	mia := h.again(h.mia)
	h.is(mia, h.one, "second")
	h.is(mia, h.two, "first")
	apptest.Must(t, h.rollback(mia, h.one.ID, 1))
	h.is(mia, h.one, "first")
	h.sound()
	h.recorded("user.restore", h.mia)
	if diff := cmp.Diff(eves, h.byID("secrets", h.eves.ID)); diff != "" {
		t.Error("eve's secret was changed")
	}
	// what was there before does not come back, neither row by row nor whole
	h.both(func() {
		h.putBackUser(broken, h.mia.id)
		h.refusedKey(h.mia.key)
		h.refusedKey(mia.key)
	})
}

// recorded demands an entry about a person in the person's chain and in the instance's.
func (h *House) recorded(action string, p Person) {
	h.t.Helper()
	for _, owner := range []string{p.id, h.rows("instance", "1")[0].text("id")} {
		found := h.rows("audit_entries",
			"owner_id = ? AND action = ? AND target_id = ?", owner, action, p.id)
		if len(found) == 0 {
			h.t.Errorf("%s is not in the chain of %s", action, owner)
		}
	}
}

func TestAUserWhoWasDroppedComesBackFromABackup(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	for _, table := range []string{
		"api_keys", "secrets", "secret_versions", "owner_keys", "audit_entries", "users",
	} {
		h.exec("DELETE FROM "+table+" WHERE "+h.ofUser(table)+" = ?", h.mia.id)
	}
	_, err := h.restoreUser(file, h.mia)
	apptest.Must(t, err)
	h.both(func() { h.is(h.again(h.mia), h.one, "second") })
	h.sound()
}

func TestAUserWhoIsWholeIsReplacedOnlyIfTheOperatorSaysSo(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.update(h.mia, h.one.ID, "ONE", "third")
	before := h.dump()
	_, err := h.restoreUser(file, h.mia)
	if err == nil || !strings.Contains(err.Error(), "--replace") {
		t.Errorf("it was not refused: %v", err)
	}
	h.unchanged(before, "users", "secrets", "api_keys", "owner_keys", "audit_entries")
	entries := len(h.chain(h.mia.id))
	done, err := h.restoreUser(file, h.mia, func(o *maintenance.UserRestoreOptions) {
		o.Replace = true
	})
	apptest.Must(t, err)
	if names(done.Lost) != "ONE 3" || done.UnprovedEntries != 0 || done.LostEntries != 0 {
		t.Errorf("it is %+v", done)
	}
	h.is(h.again(h.mia), h.one, "second")
	if now := len(h.chain(h.mia.id)); now < entries {
		t.Errorf("the audit log has %d entries, of %d before", now, entries)
	}
	h.sound()
}

func TestARestoreOfAUserThatIsNotConfirmedChangesNothing(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.breakLedger(h.mia)
	before := h.dump()
	_, err := h.restoreUser(file, h.mia, func(o *maintenance.UserRestoreOptions) {
		o.Confirm = func(maintenance.RestoredUser) error { return errNo }
	})
	if !errors.Is(err, errNo) {
		t.Error(err)
	}
	h.unchanged(before, "users", "secrets", "api_keys", "owner_keys", "audit_entries", "instance")
}

func TestADeletedUserDoesNotComeBackFromABackup(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	apptest.Must(t, h.as(h.ada).DeleteUserNow(t.Context(), h.mia.id))
	replace := func(o *maintenance.UserRestoreOptions) { o.Replace = true }
	refuse := func(what string) {
		t.Helper()
		if _, err := h.restoreUser(file, h.mia, replace); err == nil {
			t.Errorf("she was restored %s", what)
		}
		if len(h.rows("secrets", "user_id = ?", h.mia.id)) > 0 {
			t.Errorf("her secrets are back %s", what)
		}
	}
	refuse("where the database says that she was deleted")
	h.set("users", h.mia.id, "ledger", []byte("nothing"))
	refuse("where her ledger is broken")
	h.exec("DELETE FROM audit_entries WHERE owner_id = ?", h.mia.id)
	h.exec("DELETE FROM users WHERE id = ?", h.mia.id)
	refuse("where she is missing")
}

func TestADisabledUserComesBackDisabled(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	apptest.Must(t, h.as(h.ada).DisableUser(t.Context(), h.mia.id))
	h.breakLedger(h.mia)
	_, err := h.restoreUser(file, h.mia)
	apptest.Must(t, err)
	list, err := h.as(h.ada).ListUsers(t.Context())
	apptest.Must(t, err)
	for _, u := range list.Users {
		if u.ID == h.mia.id && !u.Disabled {
			t.Error("she is not disabled")
		}
	}
	h.sound()
}

func TestAUserOfAChangedBackupIsNotPutBack(t *testing.T) {
	for name, change := range map[string]func(*House, *changedBackup){
		"a renamed secret": func(h *House, b *changedBackup) {
			b.set("secrets", "id", h.one.ID, "name", "PATH")
		},
		"added scopes": func(h *House, b *changedBackup) {
			b.set("api_keys", "user_id", h.mia.id, "scopes", "admin keys:write")
		},
		"a missing secret": func(h *House, b *changedBackup) { b.drop("secrets", "id", h.two.ID) },
		"another's rows": func(h *House, b *changedBackup) {
			b.set("secrets", "user_id", h.eve.id, "user_id", h.mia.id)
		},
		"another's name": func(h *House, b *changedBackup) {
			b.set("users", "id", h.eve.id, "username", "someone")
			b.set("users", "id", h.mia.id, "username", "eve")
			b.set("users", "id", h.eve.id, "username", "mia")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t)
			file := h.backup()
			h.changeBackup(file, func(b *changedBackup) { change(h, b) })
			h.breakLedger(h.mia)
			before := h.dump()
			if _, err := h.restoreUser(file, h.mia); err == nil {
				t.Error("she was restored")
			}
			h.unchanged(before, "users", "secrets", "api_keys", "owner_keys", "audit_entries")
		})
	}
}

// Entries that were added in the name of a chain link to nothing; those that do link are kept, and
// the log says that no ledger vouches for them.
func TestForgedAuditEntriesDoNotEnterARestoredChain(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.create(h.mia, "LATE")
	c := h.chain(h.mia.id)
	last := c[len(c)-1]
	number, _ := last["seq"].(int64)
	h.insert("audit_entries", last.with("seq", number+1, "action", "secret.delete"))
	h.breakLedger(h.mia)
	done, err := h.restoreUser(file, h.mia)
	apptest.Must(t, err)
	if done.UnprovedEntries != 1 || done.LostEntries != 1 {
		t.Errorf("it is %+v", done)
	}
	notes := h.rows("audit_entries", "owner_id = ? AND target_name LIKE 'no ledger vouched%'",
		h.mia.id)
	lost := h.rows("audit_entries", "owner_id = ? AND target_name LIKE '%were lost'", h.mia.id)
	if len(notes) != 1 || len(lost) != 1 {
		t.Error("the audit log does not say what became of it")
	}
	h.sound()
}

func TestAUserIsNotPutBackByTheInstanceKeyOfAnotherHouse(t *testing.T) {
	h := newHouse(t)
	other := h.sharing()
	file := other.backup()
	h.breakLedger(h.mia)
	before := h.dump()
	if _, err := h.restoreUser(file, Person{name: "mia"}); err == nil {
		t.Error("she was restored")
	}
	h.unchanged(before, "users", "secrets")
}

// A huge number, which the disk chose, does not keep a user from coming back.
func TestANumberFromTheDiskDoesNotLockAUserOut(t *testing.T) {
	for _, number := range []any{int64(1<<63 - 1), int64(-5), int64(0)} {
		h := newHouse2(t)
		file := h.backup()
		h.breakLedger(h.mia)
		h.set("users", h.mia.id, "number", number)
		_, err := h.restoreUser(file, h.mia)
		apptest.Must(t, err)
		mia := h.again(h.mia)
		h.is(mia, h.one, "second")
		h.update(mia, h.one.ID, "ONE", "third")
		h.sound()
	}
}

package attack_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/seal"
)

// leakedInstanceKey returns the instance key that signs, as somebody has it who had the root key
// and the database, and its row.
func (h *House) leakedInstanceKey() (seal.InstanceKey, row) {
	h.t.Helper()
	own := h.row("instance_keys", "1")
	wrapped, _ := own["wrapped"].([]byte)
	id, err := uuid.Parse(own.text("id"))
	apptest.Must(h.t, err)
	key, err := h.trueRootKey().UnwrapInstance(h.t.Context(), id, wrapped)
	apptest.Must(h.t, err)
	return key, own
}

func (h *House) rotateInstanceKey() {
	h.t.Helper()
	_, err := maintenance.RotateInstanceKey(h.t.Context(), h.cfg, nil, nil, func(int, int) {})
	apptest.Must(h.t, err)
}

// waitForKeysFile waits until a running server has read the keys file again.
func waitForKeysFile() { time.Sleep(time.Second) }

func TestAnInstanceKeyThatWasRotatedSignsNothingAnyMore(t *testing.T) {
	h := newHouse(t)
	leaked, own := h.leakedInstanceKey()
	h.rotateInstanceKey()
	waitForKeysFile()
	h.works(h.mia, h.eve)
	// also where the attacker puts the row of the key back
	h.insert("instance_keys", own)
	l := h.byID("users", h.mia.id)
	h.set("users", h.mia.id, "ledger", h.signed(l["ledger"], leaked))
	refusedUser(h, h.mia, h.ada, h.eve)
}

func TestARowOfBeforeARotationOfTheInstanceKeyIsNone(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.rotateInstanceKey()
	h.putBackUser(yesterday, h.mia.id)
	refusedUser(h, h.mia, h.ada, h.eve)
}

func TestNoRowThatWasChangedIsSignedByARotationOfTheInstanceKey(t *testing.T) {
	h := newHouse(t)
	leaked := h.newKey(h.mia, "leaked", "secrets:read")
	h.set("api_keys", leaked.keyID, "scopes", `["secrets:read","keys:write"]`)
	_, err := maintenance.RotateInstanceKey(t.Context(), h.cfg, nil, nil, func(int, int) {})
	if err == nil || !strings.Contains(err.Error(), "--skip-user "+h.mia.id) {
		t.Errorf("the rotation says %v", err)
	}
	h.refusedKey(leaked.key)
	h.works(h.ada, h.eve)
	h.named()
	_, err = maintenance.RotateInstanceKey(
		t.Context(), h.cfg, nil, []uuid.UUID{uuid.MustParse(h.mia.id)}, func(int, int) {})
	apptest.Must(t, err)
	waitForKeysFile()
	h.refusedKey(leaked.key)
	h.works(h.ada, h.eve)
	if len(h.rows("instance_keys", "1")) != 1 {
		t.Error("the old key is still there")
	}
	h.named()
}

func TestAnInstanceKeyThatAnAttackerAddedIsNotTheOneOfARotation(t *testing.T) {
	h := newHouse(t)
	key, err := seal.NewInstanceKey()
	apptest.Must(t, err)
	h.insert("instance_keys", h.instanceKeyRow(key, h.trueRootKey()))
	h.rotateInstanceKey()
	if left := h.rows("instance_keys", "1"); len(left) != 1 || left[0]["id"] == key.ID().String() {
		t.Errorf("%d instance keys are left", len(left))
	}
	h.restart()
	h.works(h.ada, h.mia, h.eve)
}

func TestABackupOfAnotherDateIsNotRestored(t *testing.T) {
	h := newHouse(t)
	file := h.backup()
	h.changeBackup(file, func(b *changedBackup) {
		b.manifest["created_at"] = "2031-01-01T00:00:00Z"
	})
	h.notRestored(file)
}

func TestAnOlderBackupWithTheManifestOfANewerOneIsNotRestored(t *testing.T) {
	h := newHouse(t)
	old := h.backup()
	h.update(h.mia, h.one.ID, "ONE", "third")
	text, err := os.ReadFile(h.backup())
	apptest.Must(t, err)
	var newer map[string]any
	apptest.Must(t, json.Unmarshal([]byte(strings.Split(string(text), "\n")[1]), &newer))
	h.changeBackup(old, func(b *changedBackup) {
		b.manifest["created_at"], b.manifest["audit"] = newer["created_at"], newer["audit"]
	})
	h.notRestored(old)
}

func TestTheFirstPublicKeyVerifiesWhatWasSignedAfterRotationsAndARestore(t *testing.T) {
	h := newHouse(t)
	k := h.keep()
	for range 2 {
		h.rotateInstanceKey()
		h.update(h.mia, h.one.ID, "ONE", newName())
		made, err := h.export()
		apptest.Must(t, err)
		if faults := k.verify(made.File); len(faults) > 0 {
			t.Errorf("after a rotation: %v", faults)
		}
	}
	file := h.backup()
	other := h.restoredHouse(file)
	made, err := other.export()
	apptest.Must(t, err)
	if faults := k.verify(made.File); len(faults) > 0 {
		t.Errorf("after a restore: %v", faults)
	}
	// the house goes on beside its copy: what it signed then is not what the copy extends
	_, err = h.export()
	apptest.Must(t, err)
	late := h.keep()
	for range 3 {
		made, err = other.export()
		apptest.Must(t, err)
	}
	late.trust.Keys = k.trust.Keys
	if faults := late.verify(made.File); len(faults) == 0 {
		t.Error("the copy extends what the house signed after the backup")
	}
}

func TestASuccessionThatAnAttackerWroteLeadsNowhere(t *testing.T) {
	h, other := newHouse(t), newHouse2(t)
	k := h.keep()
	theirs := other.row("instance_keys", "1")
	h.rotateInstanceKey()
	h.exec("UPDATE instance_keys SET successions = ?", theirs["successions"])
	made, err := h.export()
	apptest.Must(t, err)
	if len(k.verify(made.File)) == 0 {
		t.Error("a key of which nothing tells is believed")
	}
	h.rotateInstanceKey() // goes on all the same
	h.works(h.mia)
}

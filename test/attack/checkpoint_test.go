package attack_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/maintenance"
)

// A keeper keeps, elsewhere than the attacker, the public key and the last checkpoint.
type keeper struct {
	h     *House
	trust audit.Trust
	file  string // of the last export
}

// export makes an export, as the operator does who then keeps its checkpoint.
func (h *House) export() (maintenance.AuditExport, error) {
	h.t.Helper()
	file := filepath.Join(h.t.TempDir(), newName())
	return maintenance.ExportAudit(h.t.Context(), h.cfg, nil, file, "")
}

// keep makes an export and keeps its checkpoint.
func (h *House) keep() *keeper {
	h.t.Helper()
	log, err := maintenance.ReadAuditLog(h.t.Context(), h.cfg, nil)
	apptest.Must(h.t, err)
	made, err := h.export()
	apptest.Must(h.t, err)
	leaves := audit.AppendLeaves(nil, made.Checkpoint.Leaves)
	k := &keeper{h: h, file: made.File}
	k.trust = audit.Trust{
		Keys: []string{log.Key}, Earlier: &audit.Kept{Note: made.Checkpoint.Note, Leaves: leaves},
	}
	return k
}

// verify returns what is wrong with an export.
func (k *keeper) verify(file string) (faults []error) {
	k.h.t.Helper()
	f, err := os.Open(file)
	apptest.Must(k.h.t, err)
	defer f.Close()
	report, err := k.trust.Verify(f)
	if err != nil {
		return []error{err}
	}
	return report.Faults
}

// finds demands that the next export is either refused, or does not extend what was kept.
func (k *keeper) finds() {
	k.h.t.Helper()
	made, err := k.h.export()
	if err == nil && len(k.verify(made.File)) == 0 {
		k.h.t.Error("nothing is wrong with the export")
	}
}

func TestAnExportOfAHouseThatNobodyAttackedExtendsWhatWasKept(t *testing.T) {
	h := newHouse(t)
	k := h.keep()
	h.update(h.mia, h.one.ID, "ONE", "third")
	for range 2 {
		made, err := h.export()
		apptest.Must(t, err)
		if faults := k.verify(made.File); len(faults) > 0 {
			t.Errorf("faults: %v", faults)
		}
	}
}

func TestADatabaseThatWasPutBackDoesNotExtendWhatWasKept(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	k := h.keep()
	h.Stop(t)
	h.putBackAll(yesterday)
	k.finds()
}

func TestTwoHistoriesDoNotExtendEachOther(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	k := h.keep()
	h.Stop(t)
	h.putBackAll(yesterday)
	if h.start() != nil {
		return
	}
	for n := range 4 {
		_, _ = h.as(h.mia).UpdateSecret(t.Context(), h.two.ID, updateTo(h.mia, "TWO", n))
	}
	_, _ = h.export() // so that the number of the checkpoint is higher, too
	k.finds()
}

func TestAUserWhoWasPutBackDoesNotExtendWhatWasKept(t *testing.T) {
	h := newHouse(t)
	yesterday := h.dump()
	h.update(h.mia, h.one.ID, "ONE", "third")
	k := h.keep()
	h.Stop(t)
	h.putBackUser(yesterday, h.mia.id)
	k.finds()
}

func TestAUserWhoWasDroppedIsMissedInTheExport(t *testing.T) {
	h := newHouse(t)
	k := h.keep()
	for _, table := range h.tables() {
		if c := h.ofUser(table); c != "" {
			h.exec("DELETE FROM "+table+" WHERE "+c+" = ?", h.mia.id)
		}
	}
	k.finds()
}

func TestAChainThatWasRecomputedDoesNotExtendWhatWasKept(t *testing.T) {
	h := newHouse(t)
	k := h.keep()
	c := h.chain(h.mia.id)
	c[1] = c[1].with("action", "secret.delete")
	h.rewrite("users", h.mia.id, c)
	k.finds()
}

func TestAChainThatWasCutDoesNotExtendWhatWasKept(t *testing.T) {
	h := newHouse(t)
	k := h.keep()
	c := h.chain(h.mia.id)
	h.remove("audit_entries", c[len(c)-1])
	h.setHead("users", h.mia.id, c[len(c)-2])
	k.finds()
}

func TestACheckpointThatWasHiddenIsNotMadeASecondTime(t *testing.T) {
	h := newHouse(t)
	k := h.keep()
	_, err := h.export()
	apptest.Must(t, err)
	for _, r := range h.rows("audit_entries", "target_kind = 'checkpoint'") {
		h.change("audit_entries", r, r.with("target_kind", "backup"))
	}
	k.finds()
	h.named("audit")
}

func TestAnExportThatWasChangedIsNone(t *testing.T) {
	h := newHouse(t)
	k := h.keep()
	whole, err := os.ReadFile(k.file)
	apptest.Must(t, err)
	k.trust.Earlier = nil
	file := filepath.Join(t.TempDir(), "changed")
	for at := 0; at < len(whole); at += 7 {
		changed := append([]byte(nil), whole...)
		changed[at] ^= 1 << (at % 8)
		apptest.Must(t, os.WriteFile(file, changed, 0o600))
		if len(k.verify(file)) == 0 {
			t.Fatalf("byte %d of %d was changed, and nothing is wrong", at, len(whole))
		}
	}
	for _, length := range []int{0, 1, len(whole) / 2, len(whole) - 1} {
		apptest.Must(t, os.WriteFile(file, whole[:length], 0o600))
		if len(k.verify(file)) == 0 {
			t.Errorf("%d of %d bytes are enough", length, len(whole))
		}
	}
}

func TestAnExportThatAnotherHouseSignedIsNone(t *testing.T) {
	h, other := newHouse(t), newHouse2(t)
	k, theirs := h.keep(), other.keep()
	k.trust.Earlier = nil
	if len(k.verify(theirs.file)) == 0 {
		t.Error("nothing is wrong with the export of another house")
	}
}

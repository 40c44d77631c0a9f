package attack_test

import (
	"errors"
	"os"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/maintenance"
)

// One row must not keep the operator from proving, and keeping, what is left.
func TestABrokenLedgerHidesNoOtherChainAndStopsNoBackup(t *testing.T) {
	h := newHouse(t)
	k := h.keep()
	ledger, _ := h.byID("users", h.mia.id)["ledger"].([]byte)
	ledger[100] ^= 1
	h.set("users", h.mia.id, "ledger", ledger)
	log, err := maintenance.ReadAuditLog(t.Context(), h.cfg, nil)
	apptest.Must(t, err)
	for _, c := range log.Chains {
		if c.Broken != (c.ID.String() == h.mia.id) || !c.Broken && c.Entries == 0 {
			t.Errorf("of %s it is known: %+v", c.Whose, c)
		}
	}
	made, err := h.export()
	apptest.Must(t, err)
	if left := made.Checkpoint.Unproved(); len(left) != 1 || left[0].String() != h.mia.id {
		t.Errorf("the checkpoint says nothing of %v", left)
	}
	f, err := os.Open(made.File)
	apptest.Must(t, err)
	defer f.Close()
	report, err := k.trust.Verify(f)
	apptest.Must(t, err)
	if len(report.Faults) != 1 || report.Chains != 3 {
		t.Errorf("%d chains, and the faults %v", report.Chains, report.Faults)
	}
	named, ok := errors.AsType[*audit.UnprovedError](errors.Join(report.Faults...))
	if !ok || named.Owner.String() != h.mia.id {
		t.Errorf("faults: %v", report.Faults)
	}
	h.backup()
}

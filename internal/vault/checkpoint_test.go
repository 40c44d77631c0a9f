package vault_test

import (
	"bytes"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/vault"
)

// openInstanceKeys opens the instance keys, which a restart has closed.
func (p *fixture) openInstanceKeys() {
	p.t.Helper()
	p.must(p.OpenInstanceKeys(p.t.Context()))
}

// checkpoint makes one, and verifies it and an export of all chains that was made with it.
func (p *fixture) checkpoint(earlier *vault.Checkpoint) vault.Checkpoint {
	p.t.Helper()
	made, err := p.MakeCheckpoint(p.t.Context())
	p.must(err)
	report := p.verify(audit.Export{Note: made.Note, Leaves: made.Leaves}, earlier)
	if len(report.Faults) > 0 || !report.Whole || report.Checkpoint != made.Checkpoint {
		p.t.Errorf("%+v", report)
	}
	return made
}

func (p *fixture) verify(x audit.Export, earlier *vault.Checkpoint) audit.Report {
	p.t.Helper()
	keys, err := p.CheckpointKeys()
	p.must(err)
	trust := audit.Trust{Keys: keys}
	if earlier != nil {
		leaves := audit.AppendLeaves(nil, earlier.Leaves)
		trust.Earlier = &audit.Kept{Note: earlier.Note, Leaves: leaves}
	}
	var report audit.Report
	p.must(p.ReadAudit(p.t.Context(), func(entries audit.Entries) error {
		var b bytes.Buffer
		if err := x.Write(&b, entries); err != nil {
			return err
		}
		report, err = trust.Verify(&b)
		return err
	}))
	return report
}

func TestCheckpointsFollowEachOtherAndHaveEveryChain(t *testing.T) {
	p := start(t)
	p.openInstanceKeys()
	ann, ben := p.user("ann"), p.user("ben")
	first := p.checkpoint(nil)
	if first.Number != 1 || first.Before != (audit.Hash{}) || first.Chains != 4 {
		t.Errorf("%+v", first.Checkpoint)
	}
	p.secret(ann, "ONE", fake("one"))
	p.must(p.Service.DeleteUser(t.Context(), p.admin, ben.User))
	p.user("cleo")
	second := p.checkpoint(&first)
	if second.Number != 2 || second.Before != first.Hash() || second.Chains != 5 {
		t.Errorf("%+v", second.Checkpoint)
	}
	p.restart()
	p.openInstanceKeys()
	third := p.checkpoint(&second)
	if third.Number != 3 || third.Before != second.Hash() {
		t.Errorf("after a restart: %+v", third.Checkpoint)
	}
	p.checkpoint(&first)
	own, err := p.InstanceHead(t.Context())
	p.must(err)
	heads, err := p.AuditHeads(t.Context())
	p.must(err)
	if len(heads) != 5 || !slices.Contains(heads, own) || own.Seq < 5 {
		t.Errorf("%d heads, and the instance's is %+v", len(heads), own)
	}
	last, err := p.LastCheckpoint(t.Context())
	if p.must(err); last.Target.Version != 4 {
		t.Errorf("the last one is %+v", last)
	}
}

func TestCheckpointsOfManyAtOnceHaveNumbersOfTheirOwn(t *testing.T) {
	p := start(t)
	p.openInstanceKeys()
	var all sync.WaitGroup
	for range 3 { // fewer than how often one tries
		all.Go(func() {
			if _, err := p.MakeCheckpoint(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if made := p.checkpoint(nil); made.Number != 4 {
		t.Errorf("the next one has number %d", made.Number)
	}
}

func TestNoCheckpointIsMadeOnAChainThatDoesNotHold(t *testing.T) {
	for what, attack := range map[string]func(p *fixture, own uuid.UUID) int64{
		"the entry of the last checkpoint is removed": func(p *fixture, own uuid.UUID) int64 {
			return p.sql(`DELETE FROM audit_entries WHERE owner_id = ? AND seq = (SELECT max(seq)
				FROM audit_entries WHERE target_kind = 'checkpoint')`, own.String())
		},
		"it is hidden": func(p *fixture, own uuid.UUID) int64 {
			return p.sql(`UPDATE audit_entries SET target_kind = 'backup' WHERE owner_id = ?
				AND seq = (SELECT max(seq) FROM audit_entries WHERE target_kind = 'checkpoint')`,
				own.String())
		},
		"all are hidden": func(p *fixture, own uuid.UUID) int64 {
			return p.sql(`UPDATE audit_entries SET target_kind = '' WHERE owner_id = ?
				AND target_kind = 'checkpoint'`, own.String())
		},
	} {
		t.Run(what, func(t *testing.T) {
			p := start(t)
			p.openInstanceKeys()
			p.checkpoint(nil)
			p.checkpoint(nil)
			own, err := p.InstanceHead(t.Context())
			p.must(err)
			if attack(p, own.Owner) == 0 {
				t.Fatal("nothing was changed")
			}
			if _, err := p.MakeCheckpoint(t.Context()); !errors.Is(err, vault.ErrTampered) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestWhatWasDoneToTheDatabaseIsNamedByAnEarlierCheckpoint(t *testing.T) {
	p := start(t)
	p.openInstanceKeys()
	ann := p.user("ann")
	p.secret(ann, "ONE", fake("one"))
	first := p.checkpoint(nil)
	const cut = `DELETE FROM audit_entries WHERE owner_id = ? AND seq = 2`
	if p.sql(cut, ann.User.String()) == 0 {
		t.Fatal("nothing was cut")
	}
	made, err := p.MakeCheckpoint(t.Context())
	p.must(err)
	err = p.ReadAudit(t.Context(), func(entries audit.Entries) error {
		return audit.Export{Note: made.Note, Leaves: made.Leaves}.Write(&bytes.Buffer{}, entries)
	})
	broken, ok := errors.AsType[*audit.BreakError](err)
	if !ok || broken.Owner != ann.User || broken.Seq != 2 {
		t.Errorf("the export says %v", err)
	}
	if first.Number+1 != made.Number {
		t.Errorf("the checkpoint has number %d", made.Number)
	}
}

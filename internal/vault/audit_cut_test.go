package vault_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

// cut cuts a chain off up to entries of these numbers.
func (p *fixture) cut(owner uuid.UUID, seqs ...uint64) (uint64, error) {
	p.t.Helper()
	var heads []audit.Head
	for _, seq := range seqs {
		for _, e := range p.chain(owner) {
			if e.Seq == seq {
				heads = append(heads, audit.Head{Seq: seq, Hash: e.Hash})
			}
		}
	}
	return p.CutAudit(p.t.Context(), owner, heads)
}

func TestAChainThatWasCutIsStillProved(t *testing.T) {
	p := start(t)
	ann, ben := p.user("ann"), p.user("ben")
	p.secret(ann, "ONE", fake("one"))
	p.secret(ann, "TWO", fake("two"))
	p.must(p.Service.DeleteUser(t.Context(), p.admin, ben.User))
	first := p.checkpoint(nil)
	own, err := p.InstanceHead(t.Context())
	p.must(err)
	for _, l := range first.Leaves {
		removed, err := p.cut(l.Owner, 1, l.Seq)
		if err != nil || removed != l.Seq {
			t.Errorf("%s: %d entries were cut off, of %d: %v", l.Owner, removed, l.Seq, err)
		}
		left := p.chain(l.Owner)
		want := 2 // the two cuts; of the instance, which had one entry, one and the checkpoint
		if l.Owner == own.Owner && left[0].Action != string(policy.AuditCheckpoint) ||
			len(left) != want || left[len(left)-1].Action != string(policy.AuditCut) ||
			left[len(left)-1].Target.Version != l.Seq {
			t.Errorf("%s has now %+v", l.Owner, left)
		}
	}
	p.secret(ann, "THREE", fake("three"))
	second := p.checkpoint(&first)
	if second.Number != 2 || second.Before != first.Hash() {
		t.Errorf("the next checkpoint is %+v", second.Checkpoint)
	}
	if removed, err := p.cut(ann.User, second.Leaves[0].Seq); removed != 0 || err != nil {
		t.Errorf("nothing to cut: %d, %v", removed, err)
	}
	p.restart()
	p.checkpoint(&second)
	p.assertOpens(ann, p.secret(ann, "FOUR", fake("four")).ID, fake("four"))
}

func TestOnlyWhatTheChainHasIsCutOff(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	p.secret(ann, "ONE", fake("one"))
	p.checkpoint(nil)
	own, err := p.InstanceHead(t.Context())
	p.must(err)
	before := len(p.chain(ann.User))
	head := p.chain(ann.User)[1]
	for what, c := range map[string]struct {
		chain uuid.UUID
		to    audit.Head
		want  vault.Kind
	}{
		"another hash":        {ann.User, audit.Head{Seq: 2, Hash: audit.Hash{1}}, vault.Internal},
		"beyond the end":      {ann.User, audit.Head{Seq: 99, Hash: head.Hash}, vault.Conflict},
		"nobody's":            {uuid.UUID{1}, audit.Head{Seq: 1}, vault.NotFound},
		"the last checkpoint": {own.Owner, own.Head, vault.Conflict},
	} {
		removed, err := p.CutAudit(t.Context(), c.chain, []audit.Head{c.to})
		if removed != 0 || err == nil || vault.KindOf(err) != c.want {
			t.Errorf("%s: %d entries were cut off: %v", what, removed, err)
		}
	}
	if after := len(p.chain(ann.User)); after != before {
		t.Errorf("the chain has %d entries, not %d", after, before)
	}
	p.sql("UPDATE audit_entries SET run = 'x' WHERE owner_id = ? AND seq = 3", ann.User.String())
	if _, err := p.cut(ann.User, 2); !errors.Is(err, vault.ErrTampered) {
		t.Errorf("what is left does not hold: %v", err)
	}
}

func TestACutThatIsTakenBackIsTampering(t *testing.T) {
	p := start(t)
	ann := p.user("ann")
	p.secret(ann, "ONE", fake("one"))
	first := p.checkpoint(nil)
	rows := p.chain(ann.User)
	if _, err := p.cut(ann.User, 2); err != nil {
		t.Fatal(err)
	}
	if p.sql("DELETE FROM audit_entries WHERE owner_id = ? AND seq = 3", ann.User.String()) != 1 {
		t.Fatal("nothing was removed")
	}
	made, err := p.MakeCheckpoint(t.Context())
	p.must(err)
	err = p.ReadAudit(t.Context(), func(entries audit.Entries) error {
		return audit.Export{Note: made.Note, Leaves: made.Leaves}.Write(discard{}, entries)
	})
	broken, ok := errors.AsType[*audit.BreakError](err)
	if !ok || broken.Owner != ann.User || broken.Seq != 3 {
		t.Errorf("of %d entries and checkpoint %d: %v", len(rows), first.Number, err)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

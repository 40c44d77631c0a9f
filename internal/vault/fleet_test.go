package vault_test

import (
	"testing"

	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
)

func (p *fixture) instanceState() vault.InstanceState {
	p.t.Helper()
	state, err := p.InstanceState(p.t.Context(), p.admin)
	p.must(err)
	return state
}

func TestTheStateOfTheInstanceTellsOfKeysBackupsAndALockdown(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	p.user("ann")
	state := p.instanceState()
	if state.ID != p.instance() || state.LockedDown || !state.Backup.At.IsZero() ||
		!state.Checkpoint.At.IsZero() || !state.Whole || state.LogBroken {
		t.Errorf("of a new one: %+v", state)
	}
	if len(state.InstanceKeys) != 1 || state.InstanceKeys[0] != p.key.ID() {
		t.Errorf("instance keys: %v", state.InstanceKeys)
	}
	first := state.RootKeys[0]
	if len(state.RootKeys) != 1 || !first.First || !first.Open || first.OwnerKeys != 2 ||
		first.Fault != nil || first.CreatedAt.IsZero() {
		t.Errorf("root keys: %+v", state.RootKeys)
	}
	p.must(p.RecordBackup(ctx, "first"))
	p.must(p.RecordBackup(ctx, "second"))
	_, err := p.MakeCheckpoint(ctx)
	p.must(err)
	p.makeFirst(p.newRoot(2))
	p.must(p.LockDown(ctx))
	state = p.instanceState()
	if state.Backup.Target.Name != "second" || state.Checkpoint.At.IsZero() || !state.LockedDown {
		t.Errorf("after a backup, a checkpoint and a lockdown: %+v", state)
	}
	if len(state.RootKeys) != 2 || state.RootKeys[0].First || !state.RootKeys[1].First ||
		state.RootKeys[1].OwnerKeys != 0 {
		t.Errorf("after another root key: %+v", state.RootKeys)
	}
}

func TestTheStateOfTheInstanceTellsOfWhatWasTamperedWith(t *testing.T) {
	p := start(t)
	ctx := t.Context()
	ann := p.user("ann")
	p.sql("UPDATE api_keys SET name = 'planted' WHERE user_id = ?", ann.User.String())
	p.keysOfAll(vault.KeyFilter{})
	p.must(p.RecordTamperings(ctx, p.NewTamperings()))
	state := p.instanceState()
	if state.Tamperings == 0 || state.Tampering.Action != string(policy.TamperingFound) {
		t.Errorf("%+v", state)
	}
	p.must(p.RecordBackup(ctx, "a backup"))
	p.sql("UPDATE audit_entries SET at = at + 1 WHERE owner_id = ? AND action = 'backup.create'",
		p.instance().String())
	if state = p.instanceState(); !state.LogBroken || !state.Backup.At.IsZero() || state.Whole {
		t.Errorf("of a log that was changed: %+v", state)
	}
}

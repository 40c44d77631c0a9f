package vault

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// A RootKeyState is how a server finds a root key.
type RootKeyState struct {
	ID        uuid.UUID
	CreatedAt time.Time
	OwnerKeys int   // how many it wraps
	First     bool  // it wraps new keys
	Open      bool  // in this process
	Fault     error // why it could not be used a short time ago; nil otherwise
}

// An InstanceState is what an admin sees of the instance: of keys their ids, of users nothing.
type InstanceState struct {
	ID           uuid.UUID
	LockedDown   bool
	RootKeys     []RootKeyState // oldest first
	InstanceKeys []uuid.UUID    // that are believed; the first signs

	Backup     audit.Entry // the last one; zero for none
	Checkpoint audit.Entry // the same
	Tampering  audit.Entry // the last that was recorded
	Whole      bool        // the instance's chain was looked at from its end to its beginning
	LogBroken  bool        // it does not verify

	Tamperings uint64 // how many uses found the database tampered with, in this process
}

// maxStateScan is how many entries of the instance's chain are looked at.
const maxStateScan = 10_000

// InstanceState returns the state of the instance. It asks no key service. It needs the scope
// admin.
func (s *Service) InstanceState(ctx context.Context, who Actor) (InstanceState, error) {
	var state InstanceState
	var stored []StoredRootKey
	err := s.view(ctx, who, policy.FleetGet, func(own *page) error {
		state = InstanceState{}
		p, err := own.instance(ctx)
		if err != nil {
			return err
		}
		state.ID = p.owner
		if state.LockedDown, err = p.lockedDown(ctx); err != nil {
			return err
		}
		err = p.recall(ctx, &state)
		if state.LogBroken = p.isBroken(err); state.LogBroken {
			s.found.report(err)
		} else if err != nil {
			return err
		}
		stored, err = countedRootKeys(ctx, p.rows)
		return err
	})
	if err != nil {
		return InstanceState{}, err
	}
	for _, key := range s.instance.all() {
		state.InstanceKeys = append(state.InstanceKeys, key.ID())
	}
	state.RootKeys, state.Tamperings = s.rootKeyStates(ctx, stored), s.Tamperings()
	return state, nil
}

// recall finds what was done last, from the end of the instance's chain.
func (p *page) recall(ctx context.Context, state *InstanceState) error {
	last := map[policy.Action]*audit.Entry{
		policy.BackupCreate: &state.Backup, policy.AuditCheckpoint: &state.Checkpoint,
		policy.TamperingFound: &state.Tampering,
	}
	end := p.ledger.Head
	for range maxStateScan / auditChunk {
		if end.Seq <= p.ledger.Cut.Seq || len(last) == 0 {
			break
		}
		part, before, err := p.chainPart(ctx, end, auditChunk)
		if err != nil {
			return err
		}
		for _, e := range slices.Backward(part) {
			if into, wanted := last[policy.Action(e.Action)]; wanted {
				*into = e.Entry
				delete(last, policy.Action(e.Action))
			}
		}
		end = before
	}
	state.Whole = end.Seq <= p.ledger.Cut.Seq
	return nil
}

func (c *core) rootKeyStates(ctx context.Context, stored []StoredRootKey) []RootKeyState {
	roots := c.keys.roots
	first, _ := roots.config.FirstRootKey(ctx, stored) // of a configuration without one, none is
	states := make([]RootKeyState, len(stored))
	for i, k := range stored {
		_, open := roots.get(k.ID)
		states[i] = RootKeyState{
			ID: k.ID, CreatedAt: k.CreatedAt, OwnerKeys: k.OwnerKeys, First: k.ID == first,
			Open: open, Fault: roots.fault(k.ID),
		}
	}
	return states
}

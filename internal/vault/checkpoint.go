package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/seal"
)

// A Checkpoint is one that was made, and what it was made of.
type Checkpoint struct {
	audit.Checkpoint

	Note   []byte       // signed
	Leaves []audit.Leaf // of all chains, in the order of their ids

	// Successions lead to the key that signed it.
	Successions []byte

	Recorded audit.Leaf // the entry of the instance's chain that records it
}

// LastCheckpoint returns the entry that recorded the last checkpoint: its target has the number as
// version and the hash as name. The zero Entry stands for none.
func (o *Operator) LastCheckpoint(ctx context.Context) (last audit.Entry, err error) {
	err = o.view(ctx, func(r *snapshot) error {
		p, err := r.instance(ctx)
		if err == nil {
			last, err = p.lastCheckpoint(ctx)
		}
		return err
	})
	return last, err
}

func (p *page) lastCheckpoint(ctx context.Context) (audit.Entry, error) {
	return p.lastTarget(ctx, audit.TargetCheckpoint)
}

// lastTarget returns the last entry of the chain whose target is of a kind. It is believed only if
// the chain leads from it to its end. Where there is none, the whole chain must hold, and nothing
// be cut off: an entry may have been hidden.
func (p *page) lastTarget(ctx context.Context, kind audit.TargetKind) (audit.Entry, error) {
	found, err := p.rows.LastTarget(ctx, p.owner, kind)
	var from audit.Head
	switch {
	case err == nil:
		from = audit.Head{Seq: found.Seq, Hash: found.Hash}
	case KindOf(err) != NotFound:
		return audit.Entry{}, err
	}
	return found.Entry, p.verifyChain(ctx, from)
}

// verifyChain verifies the chain from a head to its end.
func (p *page) verifyChain(ctx context.Context, from audit.Head) error {
	rest := between(ctx, p.rows, p.leaf(), from.Seq)
	err := audit.VerifyChainFrom(from, p.owner, rest, p.ledger.Head)
	if broken, ok := errors.AsType[*audit.BreakError](err); ok {
		return tampered("audit chain", broken)
	}
	return err
}

// CheckpointKeys returns the public keys of checkpoints that are believed, that of those that are
// made now first.
func (o *Operator) CheckpointKeys() (public []string, err error) {
	if _, err = o.instance.first(); err != nil {
		return nil, err
	}
	for _, key := range o.instance.all() {
		text, keyErr := verifierKey(key)
		public, err = append(public, text), errors.Join(err, keyErr)
	}
	return public, err
}

// Unproved returns the users of whose chains the checkpoint says nothing, because their ledgers did
// not verify.
func (c Checkpoint) Unproved() (users []uuid.UUID) {
	for _, l := range c.Leaves {
		if !l.Proved() {
			users = append(users, l.Owner)
		}
	}
	return users
}

// MakeCheckpoint makes a checkpoint of all chains, and records it in the instance's: it is signed
// and kept nowhere before that. The key that signs the instance's ledger signs it.
func (o *Operator) MakeCheckpoint(ctx context.Context) (made Checkpoint, err error) {
	for range maxTries {
		if made, err = o.prepareCheckpoint(ctx); err != nil {
			return Checkpoint{}, err
		}
		in := intent{action: policy.AuditCheckpoint, library: instanceLibrary()}
		err = o.transact(ctx, in, func(c *change) error {
			if err := c.recordCheckpoint(ctx, made); err != nil {
				return err
			}
			err := c.finish(ctx, in)
			made.Recorded = c.leaf()
			return err
		})
		if !errors.Is(err, errOvertaken) {
			break
		}
	}
	if err != nil {
		return Checkpoint{}, err
	}
	return made, nil
}

// errOvertaken means that another checkpoint was made in the meantime.
var errOvertaken = errors.New("another checkpoint was made in the meantime")

func (o *Operator) prepareCheckpoint(ctx context.Context) (made Checkpoint, err error) {
	var last audit.Entry
	var key seal.InstanceKey
	err = o.view(ctx, func(r *snapshot) error {
		leaves, own, err := r.heads(ctx)
		if err != nil {
			return err
		}
		made.Leaves, key = leaves, own.signer
		if made.Successions, err = r.successions(ctx, key.ID()); err != nil {
			return err
		}
		last, err = own.lastCheckpoint(ctx)
		return err
	})
	if err != nil {
		return made, err
	}
	made.Checkpoint = audit.Checkpoint{
		InstanceKey: key.ID(),
		Number:      last.Target.Version + 1,
		At:          o.time(),
		Chains:      uint64(len(made.Leaves)),
		Root:        audit.Root(made.Leaves),
	}
	if last.Target.Version > 0 {
		if err := made.Before.UnmarshalText([]byte(last.Target.Name)); err != nil {
			return made, tampered("checkpoint in the audit chain of the instance", err)
		}
	}
	made.Note, err = made.Sign(key.Signer())
	return made, err
}

func (c *change) recordCheckpoint(ctx context.Context, made Checkpoint) error {
	found, err := c.rows.LastTarget(ctx, c.owner, audit.TargetCheckpoint)
	if err != nil && KindOf(err) != NotFound {
		return err
	}
	if found.Target.Version+1 != made.Number || made.InstanceKey != c.signer.ID() {
		return errOvertaken
	}
	c.record(audit.Target{
		Kind: audit.TargetCheckpoint, Name: made.Hash().String(), Version: made.Number,
	})
	return nil
}

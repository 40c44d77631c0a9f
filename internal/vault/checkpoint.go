package vault

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// A Checkpoint is one that was made, and what it was made of.
type Checkpoint struct {
	audit.Checkpoint

	Note   []byte       // signed
	Leaves []audit.Leaf // of all chains, in the order of their ids
}

// LastCheckpoint returns the entry that recorded the last checkpoint: its target has the number as
// version and the hash as name. The zero Entry stands for none.
func (o *Operator) LastCheckpoint(ctx context.Context) (last audit.Entry, err error) {
	err = o.view(ctx, func(r *snapshot) error {
		p, err := r.instance(ctx)
		if err == nil {
			last, err = lastCheckpoint(ctx, r.rows, p.leaf())
		}
		return err
	})
	return last, err
}

// lastCheckpoint believes the entry only if the chain leads from it to its end. Where there is
// none, the whole chain must hold: an entry may have been hidden.
func lastCheckpoint(ctx context.Context, r Reader, own audit.Leaf) (audit.Entry, error) {
	found, err := r.LastTarget(ctx, own.Owner, audit.TargetCheckpoint)
	var from audit.Head
	switch {
	case err == nil:
		from = audit.Head{Seq: found.Seq, Hash: found.Hash}
	case KindOf(err) != NotFound:
		return audit.Entry{}, err
	}
	err = audit.Chain{}.VerifyFrom(from, own.Owner, between(ctx, r, own, from.Seq), own.Head)
	if broken, ok := errors.AsType[*audit.BreakError](err); ok {
		return audit.Entry{}, tampered("audit chain of the instance", broken)
	}
	return found.Entry, err
}

// CheckpointKey returns the public key of the checkpoints that are made now.
func (o *Operator) CheckpointKey() (string, error) {
	key, err := o.instance.first()
	if err != nil {
		return "", err
	}
	public, _ := key.Signer().Public().(ed25519.PublicKey)
	return audit.VerifierKey(key.ID(), public)
}

// MakeCheckpoint makes a checkpoint of all chains, and records it in the instance's: it is signed
// and kept nowhere before that.
func (o *Operator) MakeCheckpoint(ctx context.Context) (made Checkpoint, err error) {
	for range maxTries {
		if made, err = o.prepareCheckpoint(ctx); err != nil {
			return Checkpoint{}, err
		}
		in := intent{action: policy.AuditCheckpoint, library: instanceLibrary()}
		err = o.apply(ctx, in, func(c *change) error { return c.recordCheckpoint(ctx, made) })
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
	key, err := o.instance.first()
	if err != nil {
		return made, err
	}
	var last audit.Entry
	err = o.view(ctx, func(r *snapshot) error {
		leaves, own, err := r.heads(ctx)
		if err != nil {
			return err
		}
		made.Leaves = leaves
		last, err = lastCheckpoint(ctx, r.rows, own)
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
	if found.Target.Version+1 != made.Number {
		return errOvertaken
	}
	c.record(audit.Target{
		Kind: audit.TargetCheckpoint, Name: made.Hash().String(), Version: made.Number,
	})
	return nil
}

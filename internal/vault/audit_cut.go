package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// CutAudit removes the beginning of an audit chain, which an export has, up to the last of some
// heads that it had: one transaction for each. The ledger says where the chain begins from then on,
// and an entry in the chain. It returns how many entries were removed. Conflict: the chain does not
// have these heads.
func (o *Operator) CutAudit(
	ctx context.Context, chain uuid.UUID, heads []audit.Head,
) (removed uint64, err error) {
	in := intent{action: policy.AuditCut}
	var left []audit.Head
	err = o.view(ctx, func(s *snapshot) (err error) {
		in.library, left, err = s.prepareCut(ctx, chain, heads)
		return err
	})
	for _, to := range left {
		if err != nil {
			break
		}
		var n uint64
		err = o.apply(ctx, in, func(c *change) error {
			n = to.Seq - min(c.ledger.Cut.Seq, to.Seq)
			return c.cutTo(ctx, to)
		})
		if err == nil {
			removed += n
		}
	}
	return removed, err
}

// prepareCut returns the library of a chain, and the heads up to which it is not cut yet. It
// verifies what will be left of the chain: nothing is signed that does not hold.
func (s *snapshot) prepareCut(
	ctx context.Context, chain uuid.UUID, heads []audit.Head,
) (in library, left []audit.Head, err error) {
	p, err := s.instance(ctx)
	if err != nil {
		return in, nil, err
	}
	if in = instanceLibrary(); p.owner != chain {
		in = anyLibrary(chain)
		stored, err := s.rows.Ledger(ctx, chain)
		if err != nil {
			return in, nil, err
		}
		if p, err = s.verify(stored, chain); err != nil {
			return in, nil, err
		}
	}
	for at, i := p.ledger.Cut.Seq, 0; i < len(heads); i++ {
		if heads[i].Seq > at {
			left, at = append(left, heads[i]), heads[i].Seq
		}
	}
	if len(left) == 0 {
		return in, nil, nil
	}
	last := left[len(left)-1]
	if last.Seq > p.ledger.Head.Seq {
		return in, nil, errNoSuchHead()
	}
	return in, left, p.verifyChain(ctx, last)
}

func errNoSuchHead() error {
	return &Error{Kind: Conflict, Detail: "The audit chain does not have the entries of the export"}
}

// cutTo removes the entries up to a head. The last checkpoint stays in the instance's chain.
func (c *change) cutTo(ctx context.Context, to audit.Head) error {
	found := false
	err := c.rows.AuditBetween(ctx, c.owner, to.Seq-1, to.Seq, func(e audit.Linked) error {
		found = e.Hash == to.Hash
		return nil
	})
	if err != nil {
		return err
	}
	if !found || to.Seq <= c.ledger.Cut.Seq {
		return errNoSuchHead()
	}
	if c.ledger.User == uuid.Nil {
		last, err := c.rows.LastTarget(ctx, c.owner, audit.TargetCheckpoint)
		if err != nil {
			return err
		}
		if last.Seq <= to.Seq {
			return errNoSuchHead() // an export ends before its own checkpoint
		}
	}
	if err := c.tx.CutAudit(ctx, c.owner, to.Seq); err != nil {
		return err
	}
	c.ledger.Cut = to
	c.record(audit.Target{
		Kind: audit.TargetAuditLog, ID: c.owner, Name: to.Hash.String(), Version: to.Seq,
	})
	return nil
}

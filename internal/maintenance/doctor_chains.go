package maintenance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// maxChains limits how many chains are named that do not extend a backup's.
const maxChains = 20

// checkChains demands that the audit chains of the database extend those of a backup. It is the
// check that shows a whole database of an older state, which nothing in it can show.
func (r *reporter) checkChains(ctx context.Context, contents *backup.File) error {
	db, err := r.openForReading(ctx)
	if err != nil { // the checks of the database say so
		return ctx.Err()
	}
	var c chainComparison
	err = db.Snapshot(ctx, func(src backup.Source) error {
		cuts, err := r.cuts(ctx, src)
		if err != nil {
			return err
		}
		c = chainComparison{cuts: cuts}
		return c.run(chainEnds(ctx, contents), auditEntries(ctx, src))
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if c.wrong == 0 && c.cutOff > 0 {
		r.warn("backup chains", "verify the export that has what was cut off",
			"%d of %d audit chains were cut off beyond the backup's end, the others extend it",
			c.cutOff, c.chains)
		return nil
	}
	if c.wrong == 0 {
		r.ok("backup chains", "all %d audit chains of the database extend the backup's", c.chains)
		return nil
	}
	r.add(doctor.Check{
		Name: "backup chains", Status: doctor.Failed,
		Text: fmt.Sprintf("%d of %d audit chains of the database do not extend the backup's: "+
			"it is of an older state or another branch, or another program changed it",
			c.wrong, c.chains),
		Details: c.details,
		Advice:  "keep this backup, find out what happened since, and " + restoreBackup,
	})
	return nil
}

// cuts returns where the chains of the database begin that were cut, as their ledgers say.
func (r *reporter) cuts(ctx context.Context, src backup.Source) (map[uuid.UUID]audit.Head, error) {
	cuts := map[uuid.UUID]audit.Head{}
	add := func(stored vault.StoredLedger, user uuid.UUID) {
		l, _, err := anchor.Open(stored.Signed, user, r.signers)
		if err == nil && l.Cut.Seq > 0 { // another check names a ledger that does not open
			cuts[stored.Owner] = l.Cut
		}
	}
	for l, err := range store.Instances(ctx, src) {
		if _, damaged := errors.AsType[*store.DamagedError](err); err != nil && !damaged {
			return nil, err
		}
		add(l, uuid.Nil)
	}
	for u, err := range store.Users(ctx, src) {
		if _, damaged := errors.AsType[*store.DamagedError](err); err != nil && !damaged {
			return nil, err
		}
		add(u.StoredLedger, u.Owner)
	}
	return cuts, nil
}

// auditEntries returns the entries of all chains, in the order of their ids and numbers, but for
// those that are damaged, which another check names.
func auditEntries(ctx context.Context, src backup.Source) iter.Seq2[audit.Linked, error] {
	return func(yield func(audit.Linked, error) bool) {
		for e, err := range store.AuditEntries(ctx, src) {
			if _, damaged := errors.AsType[*store.DamagedError](err); damaged {
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// chainEnds returns the last entry of each chain.
func chainEnds(ctx context.Context, src backup.Source) iter.Seq2[audit.Leaf, error] {
	return func(yield func(audit.Leaf, error) bool) {
		var last audit.Leaf
		for e, err := range auditEntries(ctx, src) {
			if err != nil {
				yield(last, err)
				return
			}
			if last.Owner != uuid.Nil && last.Owner != e.Owner && !yield(last, nil) {
				return
			}
			last = audit.Leaf{Owner: e.Owner, Head: audit.Head{Seq: e.Seq, Hash: e.Hash}}
		}
		if last.Owner != uuid.Nil {
			yield(last, nil)
		}
	}
}

// A chainComparison is one pass over two sequences in the order of the chains' ids.
type chainComparison struct {
	cuts                  map[uuid.UUID]audit.Head
	chains, wrong, cutOff int
	details               []string
}

func (c *chainComparison) run(
	ends iter.Seq2[audit.Leaf, error], entries iter.Seq2[audit.Linked, error],
) error {
	next, stop := iter.Pull2(entries)
	defer stop()
	e, err, more := next()
	for end, endErr := range ends {
		if endErr != nil {
			return endErr
		}
		c.chains++
		var last uint64 // of this chain in the database, up to the backup's end
		var found audit.Hash
		for ; more && err == nil && !after(e, end); e, err, more = next() {
			if e.Owner == end.Owner {
				last, found = e.Seq, e.Hash
			}
		}
		if err != nil {
			return err
		}
		if cut := c.cuts[end.Owner]; end.Seq == cut.Seq {
			last, found = cut.Seq, cut.Hash
		} else if end.Seq < cut.Seq {
			c.cutOff++
			continue
		}
		switch {
		case last == 0:
			c.name("the chain of %s is missing: the backup's ends at entry %d", end.Owner, end.Seq)
		case last < end.Seq:
			c.name("the chain of %s ends at entry %d, and the backup's at %d",
				end.Owner, last, end.Seq)
		case found != end.Hash:
			c.name("entry %d of the chain of %s is another one than the backup's",
				end.Seq, end.Owner)
		}
	}
	return nil
}

// after reports whether an entry comes after the end of a chain.
func after(e audit.Linked, end audit.Leaf) bool {
	order := bytes.Compare(e.Owner[:], end.Owner[:])
	return order > 0 || order == 0 && e.Seq > end.Seq
}

func (c *chainComparison) name(format string, args ...any) {
	if c.wrong++; len(c.details) < maxChains {
		c.details = append(c.details, fmt.Sprintf(format, args...))
	}
}

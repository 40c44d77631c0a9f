package vault

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// An intent says who wants to do what in which library. The zero who is the operator.
type intent struct {
	who     Actor
	action  policy.Action
	library library
	outcome audit.Outcome // empty stands for done
}

// inOwnLibrary is the intent of a caller in the caller's own library.
func inOwnLibrary(who Actor, action policy.Action) intent {
	return intent{who: who, action: action, library: userLibrary(who.Owner())}
}

// A change is the transaction of one use case: the ledger of the library that it touches, with its
// rows, and its audit entries. It is new in every run.
type change struct {
	*page
	tx      Tx
	others  []*page // further ledgers that it changes
	at      time.Time
	entries []audit.Entry // what tells them apart: see finish
	dropped []openers     // owner keys that it destroyed
	aside   bool          // its entries go to the instance's chain
	lease   uuid.UUID     // that the entries tell of
	run     string

	answersWith uuid.UUID // what is remembered of a request in place of its first target
}

// record names a target. Each leaves an audit entry of its own.
func (c *change) record(t audit.Target) {
	c.entries = append(c.entries, audit.Entry{Target: t})
}

// recordLease names a lease as a target, in a change that tells of several.
func (c *change) recordLease(l StoredLease) {
	c.entries = append(c.entries,
		audit.Entry{Target: l.target(), Lease: l.ID, Run: l.Run.name()})
}

// also locks a further ledger, which is saved with the change.
func (c *change) also(ctx context.Context, in library) (*page, error) {
	for _, p := range append(c.others, c.page) {
		if p.ledger.User == in.owner {
			return p, nil
		}
	}
	p, err := c.lock(ctx, c.tx, in)
	if err == nil {
		c.others = append(c.others, p)
	}
	return p, err
}

// authorize refuses what the policy does not let who do.
func (s *Service) authorize(ctx context.Context, who Actor, action policy.Action) error {
	if who.User == uuid.Nil {
		return unauthenticated()
	}
	if who.Grant != nil && !policy.ForAnother(action) {
		return s.refuse(ctx, who, action, denied("Nobody does this for another user"))
	}
	if !policy.Allow(who.Scopes, action) {
		return s.refuse(ctx, who, action, denied("The API key lacks the scope for this"))
	}
	return nil
}

// update is the only way to a transaction that writes for a caller: it checks the policy, do makes
// the change and records its targets, and the audit entries are appended in the same transaction. A
// refusal, by the policy or by do, is recorded in the chain of who asked. do may be run again.
func (s *Service) update(ctx context.Context, in intent, do func(*change) error) error {
	if err := s.authorize(ctx, in.who, in.action); err != nil {
		return err
	}
	err := s.apply(ctx, in, do)
	if KindOf(err) == Denied {
		return s.refuse(ctx, in.who, in.action, err)
	}
	return err
}

// view is update for what changes nothing: a success leaves no entry, a refusal does. do reads the
// library of who.
func (s *Service) view(
	ctx context.Context, who Actor, action policy.Action, do func(*page) error,
) error {
	return s.viewBy(ctx, uuid.Nil, who, action, do)
}

// viewKept is view with what is in the memory. do changes nothing of what it gets.
func (s *Service) viewKept(
	ctx context.Context, who Actor, action policy.Action, do func(*page) error,
) error {
	return s.viewBy(ctx, who.Owner(), who, action, do)
}

func (s *Service) viewBy(
	ctx context.Context, kept uuid.UUID, who Actor, action policy.Action, do func(*page) error,
) error {
	if err := s.authorize(ctx, who, action); err != nil {
		return err
	}
	err := s.viewWith(ctx, kept, func(r *snapshot) error {
		p, err := r.user(ctx, who.Owner())
		if errors.Is(err, ErrNotFound) {
			return who.gone()
		}
		if err != nil {
			return err
		}
		if err := p.checkCaller(ctx, who); err != nil {
			return err
		}
		if err := p.checkLockdown(ctx, who, action); err != nil {
			return err
		}
		if err := p.once(ctx, who); err != nil {
			return err
		}
		return do(p)
	})
	if KindOf(err) == Denied {
		return s.refuse(ctx, who, action, err)
	}
	return s.nameAgain(ctx, err)
}

// apply makes the change in one transaction, for update and for the operator: it locks the ledger,
// runs do, appends the audit entries and saves the ledger. If do returns [errUnchanged], nothing is
// written: who asks again and again on a full disk does not use up the room that is kept for what
// must work there.
func (c *core) apply(ctx context.Context, in intent, do func(*change) error) error {
	if in.outcome != "" {
		in.who.Once = nil // what is recorded of a request is not the request
	}
	err := c.transact(ctx, in, func(next *change) error {
		if err := next.once(ctx, in.who); err != nil {
			return err
		}
		if err := do(next); err != nil {
			return err
		}
		if err := next.remember(ctx, in); err != nil {
			return err
		}
		return next.finish(ctx, in)
	})
	if errors.Is(err, errUnchanged) {
		return nil
	}
	return c.nameAgain(ctx, err)
}

// errUnchanged ends a transaction that found nothing to do.
var errUnchanged = errors.New("nothing to do")

// transact is apply without the end: do appends the audit entries, with finish. A change that finds
// the database tampered with is tried once more. One that takes something away is not kept from
// that by a row where the next entry of the chain belongs: the instance's chain has its entries.
func (c *core) transact(ctx context.Context, in intent, do func(*change) error) error {
	update := c.store.Update
	if in.outcome == "" && policy.LastResort(in.action) {
		update = c.store.UpdateReserved
	}
	c.followInstanceKeys(ctx)
	run := func(again, aside bool) error {
		var next *change
		err := update(ctx, func(tx Tx) (err error) {
			if next, err = c.begin(ctx, tx, in, again); err != nil {
				return err
			}
			next.aside = aside
			return do(next)
		})
		if err == nil {
			next.committed()
		}
		return err
	}
	err := run(false, false)
	if !errors.Is(err, ErrTampered) {
		return err
	}
	if failed := c.meetInstanceKey(ctx, err); failed != nil {
		return failed
	}
	err = run(true, false)
	if !errors.Is(err, ErrTampered) {
		return err
	}
	c.found.report(err)
	if errors.Is(err, errBlocked) && policy.LastResort(in.action) {
		err = run(true, true)
	}
	return err
}

// begin locks the ledger of a change. NotFound: there is no such user. Unauthenticated: it was the
// caller, who was deleted or disabled in the meantime.
func (c *core) begin(ctx context.Context, tx Tx, in intent, again bool) (*change, error) {
	s := &snapshot{
		core: c, rows: tx, seen: c.floors.seen(), read: &[]verifiedLedger{}, again: again,
	}
	if again {
		s.locks = tx
	}
	p, err := s.lock(ctx, tx, in.library)
	if errors.Is(err, ErrNotFound) && in.library.owner == in.who.Owner() {
		return nil, in.who.gone()
	}
	if in.outcome != "" {
		in.who.Grant = nil // to record what was refused needs none
	}
	if err == nil {
		err = p.checkCaller(ctx, in.who)
	}
	if err == nil && in.outcome == "" {
		err = s.checkLockdown(ctx, in.who, in.action)
	}
	if err != nil {
		return nil, err
	}
	return &change{page: p, tx: tx, at: c.timeAfter(p.ledger)}, nil
}

// finish appends the audit entries, one for each target, or one without a target if there is none,
// and saves the ledgers.
func (c *change) finish(ctx context.Context, in intent) error {
	if len(c.entries) == 0 {
		c.record(audit.Target{})
	}
	for i := range c.entries {
		e := &c.entries[i]
		if e.Lease == uuid.Nil {
			e.Lease, e.Run = c.lease, c.run
		}
		e.At, e.User, e.Credential = c.at, in.who.User, in.who.Credential
		e.OnBehalfOf, e.Client = in.who.OnBehalfOf, in.who.Client
		e.Action, e.Outcome = string(in.action), cmp.Or(in.outcome, audit.Done)
	}
	chain := c.page
	if c.aside {
		var err error
		if chain, err = c.also(ctx, instanceLibrary()); err != nil {
			return err
		}
	}
	if err := chain.appendAudit(ctx, c.tx, c.entries); err != nil {
		return err
	}
	for _, p := range append(c.others, c.page) {
		if err := p.save(ctx, c.tx, c.at); err != nil {
			return err
		}
	}
	return nil
}

// committed notes what is on the disk now.
func (c *change) committed() {
	for _, p := range append(c.others, c.page) {
		c.core.keep(p.verifiedLedger)
		if p.ledger.User == uuid.Nil {
			c.core.gone.drop()
		}
	}
	for _, d := range c.dropped {
		for _, id := range d.ids {
			c.core.keys.drop(d.user, id)
		}
	}
}

package vault

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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

// A change is the transaction of one use case: what it reads and writes, the ledger of the library
// that it touches, and the targets that its audit entries name. It is new in every run.
type change struct {
	Tx
	ledger  Ledger
	at      time.Time
	targets []audit.Target
}

// record names a target. Each leaves an audit entry of its own.
func (c *change) record(t audit.Target) { c.targets = append(c.targets, t) }

// authorize refuses what the policy does not let who do.
func (s *Service) authorize(ctx context.Context, who Actor, action policy.Action) error {
	if who.User == uuid.Nil {
		return unauthenticated()
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

// view is update for what changes nothing: a success leaves no entry, a refusal does.
func (s *Service) view(
	ctx context.Context, who Actor, action policy.Action, do func(Reader) error,
) error {
	if err := s.authorize(ctx, who, action); err != nil {
		return err
	}
	return s.store.View(ctx, do)
}

// read is view for a single query.
func (s *Service) read(
	ctx context.Context, who Actor, action policy.Action, do func(Reader) error,
) error {
	if err := s.authorize(ctx, who, action); err != nil {
		return err
	}
	return s.store.Read(ctx, do)
}

// refuse records that who was not allowed to do action, and returns why. If that cannot be
// recorded, its error is returned instead: no refusal goes unrecorded.
func (s *Service) refuse(ctx context.Context, who Actor, action policy.Action, why error) error {
	if who.User == uuid.Nil {
		return unauthenticated()
	}
	in := intent{who, action, userLibrary(who.User), audit.Refused}
	if err := s.apply(ctx, in, func(*change) error { return nil }); err != nil {
		return err
	}
	return why
}

// errCollision is the error of a change whose audit entry has a number that is taken.
var errCollision = errors.New("the audit chain already has an entry of this number")

// apply makes the change in one transaction, for update and for the operator: it locks the ledger,
// runs do, appends the audit entries and saves the ledger.
func (c *core) apply(ctx context.Context, in intent, do func(*change) error) error {
	return c.transact(ctx, in, func(next *change) error {
		if err := do(next); err != nil {
			return err
		}
		return next.finish(ctx, in)
	})
}

// transact is apply without the end: do appends the audit entries, with finish. An entry that
// collides with another writer's is tried again; where it collides every time, the head is not the
// end of its chain.
func (c *core) transact(ctx context.Context, in intent, do func(*change) error) error {
	update := c.store.Update
	if in.outcome == "" && policy.LastResort(in.action) {
		update = c.store.UpdateReserved
	}
	var err error
	for range maxTries {
		err = update(ctx, func(tx Tx) error {
			next, err := c.begin(ctx, tx, in)
			if err != nil {
				return err
			}
			return do(next)
		})
		if !errors.Is(err, errCollision) {
			return err
		}
	}
	return tampered("audit chain for "+string(in.action), err)
}

// begin locks the ledger of a change. NotFound: there is no such user. Unauthenticated: it was the
// caller, who was deleted in the meantime.
func (c *core) begin(ctx context.Context, tx Tx, in intent) (*change, error) {
	ledger, err := in.library.lock(ctx, tx)
	if errors.Is(err, ErrNotFound) && in.library.owner == in.who.Owner() {
		return nil, unauthenticated()
	}
	if err != nil {
		return nil, err
	}
	return &change{Tx: tx, ledger: ledger, at: c.time()}, nil
}

// finish appends an audit entry for each target, or one without a target if there is none, and
// saves the ledger.
func (c *change) finish(ctx context.Context, in intent) error {
	targets := c.targets
	if len(targets) == 0 {
		targets = []audit.Target{{}}
	}
	for _, target := range targets {
		entry := audit.Entry{
			Owner: c.ledger.Owner, At: c.at, User: in.who.User, Credential: in.who.Credential,
			OnBehalfOf: in.who.OnBehalfOf, Client: in.who.Client, Action: string(in.action),
			Outcome: cmp.Or(in.outcome, audit.Done), Target: target,
		}
		c.ledger.Head = audit.Chain{}.Append(c.ledger.Head, &entry)
		err := c.AppendAudit(ctx, audit.Linked{Entry: entry, Hash: c.ledger.Head.Hash})
		if KindOf(err) == Conflict {
			return fmt.Errorf("%w: %w", errCollision, err)
		}
		if err != nil {
			return err
		}
	}
	return in.library.save(ctx, c.Tx, c.ledger)
}

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

// An intent is who wants to do what in which library.
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

// record names a target: an entry of its own goes to the audit log with the change.
func (c *change) record(t audit.Target) { c.targets = append(c.targets, t) }

// update is the only way to a transaction that writes for a caller: it checks the policy, do makes
// the change and records its targets, and the audit entries are appended in the same transaction.
// A refusal, by the policy or by do, is recorded in the chain of who asked. do may be run again.
func (s *Service) update(ctx context.Context, in intent, do func(*change) error) error {
	if in.who.User == uuid.Nil {
		return unauthenticated()
	}
	if !policy.Allow(in.who.Scopes, in.action) {
		return s.refuse(ctx, in.who, in.action, denied("The API key lacks the scope for this"))
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
	if !policy.Allow(who.Scopes, action) {
		return s.refuse(ctx, who, action, denied("The API key lacks the scope for this"))
	}
	return s.withKeys(ctx, func() error { return s.store.View(ctx, do) })
}

// refuse records that who was not let do action, and returns why. If that cannot be recorded, the
// answer is that error: no refusal goes unrecorded.
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

// errCollision is the error of a change whose audit entry is already there.
var errCollision = errors.New("the audit chain already has an entry of this number")

// apply makes the change in one transaction, for update and for the operator: it locks the ledger,
// runs do, appends an entry for each recorded target (one without a target if there is none), and
// saves the ledger. An entry that collides with another writer's is tried again; where it collides
// every time, the head is not the end of its chain.
func (s *Service) apply(ctx context.Context, in intent, do func(*change) error) error {
	var err error
	for range maxTries {
		err = s.withKeys(ctx, func() error {
			return s.store.Update(ctx, func(tx Tx) error { return s.run(ctx, tx, in, do) })
		})
		if !errors.Is(err, errCollision) {
			return err
		}
	}
	return tampered("audit chain that "+string(in.action)+" is to be recorded in", err)
}

// run is one run of a change.
func (s *Service) run(ctx context.Context, tx Tx, in intent, do func(*change) error) error {
	ledger, err := in.library.lock(ctx, tx)
	if errors.Is(err, ErrNotFound) && in.library.owner == in.who.Owner() {
		return unauthenticated() // the caller was deleted in the meantime
	}
	if err != nil {
		return err
	}
	c := &change{Tx: tx, ledger: ledger, at: s.time()}
	if err := do(c); err != nil {
		return err
	}
	return c.finish(ctx, in)
}

// finish appends the entries and saves the ledger.
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
			return errors.Join(errCollision, err)
		}
		if err != nil {
			return err
		}
	}
	return in.library.save(ctx, c.Tx, c.ledger)
}

// time returns the current time, as exact as it is kept.
func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// newID returns an id of version 7: new rows land on the page that is already in memory.
func newID() (uuid.UUID, error) { return uuid.NewV7() }

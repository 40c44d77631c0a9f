// Package vault is the domain: users, their secrets, their API keys, and the use cases.
//
// A use case is one method of [Service] and one transaction. It goes through update or view, which
// check the policy and append the audit entry, so that none can forget; only they reach a
// transaction on behalf of somebody. The package knows no HTTP and no SQL.
package vault

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/policy"
)

// A Service has the use cases. It is safe for concurrent use.
type Service struct {
	store      Store
	keys       *keyring
	catalog    *catalog.Catalog
	used       *lastUsed
	maxSecrets int
	keep       int // versions of a secret, the current one among them
	now        func() time.Time
	log        *slog.Logger
	batch      int // of a rotation
}

// Options are what a [Service] needs. All but Now must be set, but for a use case that needs less.
type Options struct {
	Store      Store
	OpenRoot   OpenRootKey
	KeyTTL     time.Duration // how long an owner key stays open in memory
	Catalog    *catalog.Catalog
	MaxSecrets int // a user's quota
	// KeepVersions is how many versions of a secret are kept, the current one among them; less than
	// 1 is 1.
	KeepVersions int
	Now          func() time.Time
	Log          *slog.Logger
}

// New returns a Service. It reads nothing: [Service.CheckRootKeys] comes first.
func New(o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{
		store:      o.Store,
		keys:       newKeyring(newRoots(o.OpenRoot, o.Now), o.KeyTTL),
		catalog:    o.Catalog,
		used:       newLastUsed(),
		maxSecrets: o.MaxSecrets,
		keep:       max(o.KeepVersions, 1),
		now:        o.Now,
		log:        o.Log,
		batch:      rotateBatch,
	}
}

// An Actor is who is calling. The zero Actor is the operator at the machine itself, whom the policy
// does not let do anything: only [Service.Bootstrap] acts for it.
type Actor struct {
	User   uuid.UUID
	Key    uuid.UUID
	Scopes []policy.Scope
	// SelfRevoke: the key may revoke itself.
	SelfRevoke bool
}

// A change is the transaction of one use case: what it reads and writes, the ledger of the user
// whose library it touches, and the audit entry that goes with it.
type change struct {
	Tx
	entry  audit.Entry
	ledger *Ledger
}

// load returns the ledger of the library's owner, read once. NotFound: there is no such user.
// Unauthenticated: it was the caller, deleted meanwhile.
func (c *change) load(ctx context.Context) (*Ledger, error) {
	if c.ledger == nil {
		ledger, err := c.Ledger(ctx, c.entry.Owner)
		if errors.Is(err, ErrNotFound) && c.entry.Owner == c.entry.User {
			return nil, unauthenticated()
		}
		if err != nil {
			return nil, err
		}
		c.ledger = &ledger
	}
	return c.ledger, nil
}

// update is the only way to a transaction that writes: the policy is checked, do makes the change
// in the library of owner and says in the entry what it was done to, and the entry is appended in
// the same transaction. A refusal, by the policy or by do, is recorded in the chain of who asked.
func (s *Service) update(
	ctx context.Context,
	who Actor,
	action policy.Action,
	owner uuid.UUID,
	do func(*change) error,
) error {
	if !policy.Allow(who.Scopes, action) {
		return s.refuse(ctx, who, action, denied("The API key lacks the scope for this"))
	}
	switch Instance {
	case who.User:
		return unauthenticated()
	case owner:
		return ErrNotFound // its ledger is the operator's
	}
	err := s.apply(ctx, s.entry(who, action, owner), do)
	if KindOf(err) == Denied {
		return s.refuse(ctx, who, action, err)
	}
	return err
}

// view is update for what changes nothing: a success leaves no entry, a refusal does.
func (s *Service) view(
	ctx context.Context,
	who Actor,
	action policy.Action,
	do func(Reader) error,
) error {
	if !policy.Allow(who.Scopes, action) {
		return s.refuse(ctx, who, action, denied("The API key lacks the scope for this"))
	}
	return s.withKeys(ctx, func() error { return s.store.View(ctx, do) })
}

// apply makes the change and appends its entry, for update and for the operator.
func (s *Service) apply(ctx context.Context, entry audit.Entry, do func(*change) error) error {
	return s.withKeys(ctx, func() error {
		return s.store.Update(ctx, func(tx Tx) error {
			c := &change{Tx: tx, entry: entry}
			if err := do(c); err != nil {
				return err
			}
			return c.record(ctx)
		})
	})
}

// record appends the entry to the chain of the library's owner.
func (c *change) record(ctx context.Context) error {
	ledger, err := c.load(ctx)
	if err != nil {
		return err
	}
	ledger.Head = ledger.Head.Next(&c.entry)
	if err := c.AppendAudit(ctx, audit.Linked{Entry: c.entry, Hash: ledger.Head.Hash}); err != nil {
		if KindOf(err) == Conflict { // the head says that there is no such entry yet
			return tampered("audit chain of user "+c.entry.Owner.String(), err)
		}
		return err
	}
	return c.SaveLedger(ctx, *ledger)
}

// refuse records that who was not let do action, and returns why. If that cannot be recorded, the
// answer is that instead: nothing is refused unseen.
func (s *Service) refuse(ctx context.Context, who Actor, action policy.Action, why error) error {
	if who.User == Instance {
		return unauthenticated() // nobody has no chain
	}
	entry := s.entry(who, action, who.User)
	entry.Outcome = audit.Refused
	if err := s.apply(ctx, entry, func(*change) error { return nil }); err != nil {
		return err
	}
	return why
}

func (s *Service) entry(who Actor, action policy.Action, owner uuid.UUID) audit.Entry {
	return audit.Entry{
		Owner: owner, At: s.time(), User: who.User, Key: who.Key,
		Action: string(action), Outcome: audit.Done,
	}
}

// time returns what the time is, as exact as it is kept.
func (s *Service) time() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// newID returns an id of version 7: new rows land on the page that is already in memory.
func newID() (uuid.UUID, error) { return uuid.NewV7() }

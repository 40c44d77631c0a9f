package vault

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
)

// The causes of tampering.
var (
	errNotListed = errors.New("the ledger does not list it: it was added, changed or put back")
	errMissing   = errors.New("a row that the ledger lists is missing")
	errTwice     = errors.New("a row, or a name, is there twice")
	errOlder     = errors.New("the ledger is older than one that was stored since")
	errBlocked   = errors.New("a row is where the next entry belongs")
)

// A page is a ledger with its rows. Every use case reads rows through it: a row counts only if the
// ledger lists it. An error that wraps [ErrTampered] says that the database has something other
// than what was stored.
type page struct {
	snapshot
	verifiedLedger

	owner uuid.UUID // of the audit chain: the user, or the id of the instance
	lets  access    // when it was read
	ended bool      // a lease of the broker was, before it expired
}

// An access is what of a ledger decides who is let in, and what the broker grants while a lease is
// open.
type access struct {
	state    anchor.State
	apiKeys  anchor.Set
	leases   bool // some are open
	secrets  anchor.Set
	ownerKey uuid.UUID
}

func accessBy(l anchor.Ledger) access {
	return access{l.State, l.APIKeys, l.Leases.Len() > 0, l.Secrets, l.OwnerKey}
}

// taken reports whether a ledger does not let in all that was let in before, or changes what may be
// granted. That a lease of the broker was ended is not seen here: those of tickets are, too, with
// each use, and nobody else needs to know of that.
func (a access) taken(now anchor.Ledger) bool {
	return a.state != now.State || !now.APIKeys.HasAll(a.apiKeys) ||
		a.leases && (a.ownerKey != now.OwnerKey || !now.Secrets.HasAll(a.secrets))
}

// user opens the ledger of a user. NotFound: there is no such user, or not any more.
func (s *snapshot) user(ctx context.Context, id uuid.UUID) (*page, error) {
	if s.known == nil || s.known.ledger.User != id {
		stored, err := s.further(ctx, id)
		if err != nil {
			return nil, err
		}
		return s.open(ctx, stored, id)
	}
	if !s.same {
		stored, err := s.rows.Ledger(ctx, id)
		if err != nil {
			return nil, err
		}
		if stored.Number != s.known.ledger.Number || stored.Owner != id ||
			!bytes.Equal(stored.Signed, s.known.signed) {
			return s.open(ctx, stored, id)
		}
	}
	p, err := s.newest(*s.known, id)
	if err != nil {
		return nil, err
	}
	return p, s.checkState(ctx, p.ledger)
}

// open is user for a ledger that was read.
func (s *snapshot) open(ctx context.Context, stored StoredLedger, user uuid.UUID) (*page, error) {
	p, err := s.verify(stored, user)
	if err != nil {
		return nil, err
	}
	return p, s.checkState(ctx, p.ledger)
}

// openAny is open for a user who may have been deleted.
func (s *snapshot) openAny(
	ctx context.Context, stored StoredLedger, user uuid.UUID,
) (*page, error) {
	p, err := s.verify(stored, user)
	if err == nil && p.ledger.State != anchor.Deleted {
		err = s.checkState(ctx, p.ledger)
	}
	return p, err
}

// instance opens the instance's ledger, which every database has that is not new.
func (s *snapshot) instance(ctx context.Context) (*page, error) {
	stored, err := s.rows.InstanceLedger(ctx)
	return s.openInstance(stored, err)
}

func (s *snapshot) openInstance(stored StoredLedger, err error) (*page, error) {
	if KindOf(err) == NotFound {
		return nil, tampered(ledgerName(uuid.Nil), errMissing)
	}
	if err != nil {
		return nil, err
	}
	return s.verify(stored, uuid.Nil)
}

// verify opens a ledger. nil stands for the instance.
func (s *snapshot) verify(stored StoredLedger, user uuid.UUID) (*page, error) {
	l, found := s.core.kept(stored, user)
	if !found {
		var err error
		l.signed = stored.Signed
		l.ledger, l.signer, err = anchor.Open(stored.Signed, user, s.core.instance.get)
		if err == nil && l.ledger.Number != stored.Number {
			err = anchor.ErrTampered
		}
		if err != nil {
			return nil, tampered(ledgerName(user), err)
		}
	}
	if user != uuid.Nil && stored.Owner != user {
		return nil, tampered(ledgerName(user), errIndex)
	}
	l.since, l.access, l.reading = s.since, s.since, s.core.verified.readings.Add(1)
	p, err := s.newest(l, stored.Owner)
	if err == nil {
		*s.read = append(*s.read, l)
	}
	return p, err
}

// newest returns the page of a ledger that was verified, if it is no older than one that was seen.
func (s *snapshot) newest(l verifiedLedger, owner uuid.UUID) (*page, error) {
	if s.core.floors.below(l.ledger.User, l.ledger.Number, s.seen) {
		return nil, tampered(ledgerName(l.ledger.User), errOlder)
	}
	return &page{snapshot: *s, owner: owner, verifiedLedger: l, lets: accessBy(l.ledger)}, nil
}

func ledgerName(user uuid.UUID) string {
	if user == uuid.Nil {
		return "ledger of the instance"
	}
	return "ledger of user " + user.String()
}

// checkState refuses the ledger of a user who was deleted, and one of before a user was deleted or
// disabled, which the instance's ledger tells.
func (s *snapshot) checkState(ctx context.Context, l anchor.Ledger) error {
	if l.State == anchor.Deleted {
		return ErrNotFound
	}
	gone, err := s.core.gone.get(ctx, s)
	if err != nil || !isBefore(l, gone) {
		return err
	}
	// What is remembered may be of another moment: a user was enabled, or disabled, since.
	instance, err := s.instance(ctx)
	if err == nil && isBefore(l, instance.ledger) {
		err = tampered(ledgerName(l.User), errOlder)
	}
	return err
}

// isBefore reports whether a user's ledger is of before the user was deleted or disabled, as the
// instance's tells.
func isBefore(l, instance anchor.Ledger) bool {
	return instance.Leases.HasPrefix(l.User[:]) ||
		instance.APIKeys.Has(l.User[:]) && l.State != anchor.Disabled
}

// checkComplete returns an error if not as many rows were found as the set lists.
func (p *page) checkComplete(set anchor.Set, found int, what string) error {
	if found != set.Len() {
		return tampered(fmt.Sprintf("%s of user %s", what, p.owner), errMissing)
	}
	return nil
}

// lock opens the ledger of a library, which no other transaction changes before this one ends.
func (s *snapshot) lock(ctx context.Context, tx Tx, in library) (*page, error) {
	switch {
	case in.created:
		return s.newPage(ctx, in)
	case in.instance:
		stored, err := tx.LockInstance(ctx)
		return s.openInstance(stored, err)
	}
	stored, err := tx.LockLedger(ctx, in.owner)
	if err != nil {
		return nil, err
	}
	if in.deleted {
		return s.openAny(ctx, stored, in.owner)
	}
	return s.open(ctx, stored, in.owner)
}

// newPage returns the ledger of a library that a change creates. The key that signs must still be
// in the database: it was dropped once nothing was signed with it any more.
func (s *snapshot) newPage(ctx context.Context, in library) (*page, error) {
	p := &page{snapshot: *s, owner: in.owner}
	p.ledger = anchor.Ledger{User: in.owner, State: anchor.Active}
	var err error
	if p.signer, err = s.core.instance.first(); err != nil {
		return nil, err
	}
	if in.instance {
		p.owner, err = newID()
		return p, err
	}
	stored, err := s.rows.InstanceKeys(ctx)
	isSigner := func(k StoredInstanceKey) bool { return k.ID == p.signer.ID() }
	if err == nil && !slices.ContainsFunc(stored, isSigner) {
		err = tampered("instance key "+p.signer.ID().String(), anchor.ErrUnknownKey)
	}
	return p, err
}

// appendAudit appends entries to the chain.
func (p *page) appendAudit(ctx context.Context, tx Tx, entries []audit.Entry) error {
	linked := make([]audit.Linked, len(entries))
	for i, e := range entries {
		e.Owner = p.owner
		p.ledger.Head = p.ledger.Head.Append(&e)
		linked[i] = audit.Linked{Entry: e, Hash: p.ledger.Head.Hash}
	}
	err := tx.AppendAudit(ctx, linked)
	if KindOf(err) == Conflict {
		return tampered("audit chain of "+p.owner.String(), errBlocked)
	}
	return err
}

// save signs the ledger and stores it.
func (p *page) save(ctx context.Context, tx Tx, at time.Time) error {
	was := p.ledger.Number
	p.ledger.Next(at)
	p.ledger.DropEnded(at)
	signed, err := p.ledger.Sign(p.signer)
	if err != nil {
		return denied("There is too much in this library: delete something first")
	}
	p.signed = signed
	stored := StoredLedger{Owner: p.owner, Number: p.ledger.Number, Signed: signed}
	if p.ledger.User == uuid.Nil {
		err = tx.SaveInstance(ctx, stored, was)
	} else {
		err = tx.SaveLedger(ctx, stored, was)
	}
	if KindOf(err) == NotFound {
		return tampered(ledgerName(p.ledger.User), err)
	}
	if err == nil && was > 0 && (p.ended || p.lets.taken(p.ledger)) {
		err = tx.TellAccess(ctx, p.ledger.User)
	}
	moment := tx.Moment()
	p.verifiedLedger.since, p.access = moment, moment
	p.reading = p.core.verified.readings.Add(1)
	return err
}

package vault

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/plaintext"
)

// AuthenticateTicket returns who presents a ticket: its lease, and whose doing it is. One that
// was redeemed is let in too, so that [Service.RedeemTicket] can say so. Unauthenticated, without
// saying why: it is unknown, revoked or expired, of a user who is disabled or deleted, or asked for
// by an API key or a grant that does not work any more, or the instance is locked down.
func (s *Service) AuthenticateTicket(ctx context.Context, ticket plaintext.Value) (Actor, error) {
	hash, ok := hashToken(ticketPrefix, ticket)
	if !ok {
		return Actor{}, unknownTicket()
	}
	var who Actor
	err := s.core.view(ctx, func(r *snapshot) error {
		l, err := r.rows.LeaseByTicket(ctx, hash)
		if err != nil {
			return err
		}
		if l.Delivery != ByTicket || !bytes.Equal(l.Ticket, hash[:]) {
			return tampered("lease "+l.ID.String(), errIndex)
		}
		p, err := r.user(ctx, l.User)
		if err != nil {
			return err
		}
		who = Actor{
			User:       l.User,
			Credential: audit.Credential{Kind: audit.CredentialTicket, ID: l.ID},
			Lease:      &l,
		}
		if err := p.checkLease(l); err != nil {
			return err
		}
		if l.By.Grant != uuid.Nil && p.isOpen(l) { // otherwise nothing vouches for the row
			who.User, who.OnBehalfOf = l.By.User, l.User
		}
		if r.checkLockdown(ctx, who, policy.LeaseRedeem) != nil {
			return ErrNotFound
		}
		return p.checkTicket(ctx, l, s.now())
	})
	if err == nil || errors.Is(err, errRedeemed) {
		return who, nil
	}
	if errors.Is(err, ErrNotFound) || KindOf(err) == Unauthenticated {
		return Actor{}, unknownTicket()
	}
	return Actor{}, err
}

func unknownTicket() error {
	return &Error{
		Kind: Unauthenticated, Detail: "The ticket is missing, unknown, revoked or expired",
	}
}

// errRedeemed is the error for a ticket that was redeemed before.
var errRedeemed = errors.New("the ticket was redeemed before")

// checkTicket returns nil for a ticket that can be redeemed, [errRedeemed] for one that was.
// Unauthenticated: it is of no use, for any other reason.
func (p *page) checkTicket(ctx context.Context, l StoredLease, now time.Time) error {
	unused := p.checkUnused(l, now)
	if unused != nil && !errors.Is(unused, errRedeemed) {
		return unused
	}
	works, err := p.askersWork(ctx, l, now)
	if err != nil {
		return callerGone(err)
	}
	if !works {
		err = unknownTicket()
	}
	return cmp.Or(err, unused)
}

// checkUnused is checkTicket without what asked for the ticket.
func (p *page) checkUnused(l StoredLease, now time.Time) error {
	state := p.state(l, now)
	switch {
	case state == LeaseExpired, state == LeaseRevoked, !l.ExpiresAt.After(now),
		p.checkEnabled() != nil:
		return unknownTicket()
	case state != LeaseActive:
		return errRedeemed
	}
	return nil
}

// RedeemTicket hands out the secrets of a ticket, as they are now, to a recipient: once. Who is
// what [Service.AuthenticateTicket] returned. Conflict: it was redeemed before, which is recorded,
// or one of its secrets was deleted, which ends the lease.
func (s *Service) RedeemTicket(
	ctx context.Context, who Actor, to Recipient,
) (out Delivered, err error) {
	if who.Credential.Kind != audit.CredentialTicket || !to.given {
		return Delivered{}, unknownTicket()
	}
	if err := s.checkRecipient(to); err != nil {
		return Delivered{}, err
	}
	err = s.retry(who.Owner(), func() error {
		lease, taken, err := s.readTicket(ctx, who)
		switch {
		case errors.Is(err, errRedeemed):
			return s.dispute(ctx, who)
		case errors.Is(err, ErrNotFound):
			return s.endTicket(ctx, who)
		case err != nil:
			return err
		}
		released := lease
		released.release(taken.secrets, s.time())
		sealed, err := s.sealBundle(ctx, taken, released, to)
		if err != nil {
			return err
		}
		out = Delivered{
			Lease: Lease{released, LeaseRedeemed}, Server: taken.server, Bundle: sealed,
		}
		return s.redeem(ctx, who, lease, released, taken)
	})
	if err != nil {
		return Delivered{}, err
	}
	return out, nil
}

// readTicket returns the lease of a ticket and its secrets. NotFound: one of them was deleted.
func (s *Service) readTicket(
	ctx context.Context, who Actor,
) (lease StoredLease, taken sealedSecrets, err error) {
	err = s.view(ctx, who, policy.LeaseRedeem, func(p *page) error {
		lease, err = p.ticketLease(ctx, who, s.now())
		if err == nil {
			taken, err = p.take(ctx, lease.secretIDs())
		}
		return err
	})
	return lease, taken, err
}

// ticketLease returns the lease of the ticket that calls, with the errors of checkUnused. What was
// read when the ticket was presented still holds if the ledger lists it.
func (p *page) ticketLease(ctx context.Context, who Actor, now time.Time) (StoredLease, error) {
	if who.Lease != nil && p.isOpen(*who.Lease) {
		return *who.Lease, p.checkUnused(*who.Lease, now)
	}
	l, err := p.storedLease(ctx, who.Credential.ID)
	if errors.Is(err, ErrNotFound) {
		err = unknownTicket()
	}
	if err == nil {
		err = p.checkUnused(l, now)
	}
	return l, err
}

// redeem records that an open lease is released with what was taken for it, and takes it off the
// ledger. [errStale]: it is not as it was read any more.
func (s *Service) redeem(
	ctx context.Context, who Actor, open, released StoredLease, taken sealedSecrets,
) error {
	return s.update(ctx, inOwnLibrary(who, policy.LeaseRedeem), func(c *change) error {
		if !c.isOpen(open) {
			return errStale
		}
		if err := c.checkTicket(ctx, open, c.at); err != nil {
			return err
		}
		if err := c.stillCurrent(taken); err != nil {
			return err
		}
		c.ledger.Leases.Remove(c.leaseEntry(open))
		c.recordSecrets(released)
		if err := c.tx.CountUses(ctx, released, c.at); err != nil {
			return err
		}
		return c.tx.RedeemLease(ctx, released)
	})
}

// endTicket revokes the lease of a ticket of which a secret was deleted, and records that nothing
// was handed out.
func (s *Service) endTicket(ctx context.Context, who Actor) error {
	in := inOwnLibrary(who, policy.LeaseRedeem)
	in.outcome = audit.Refused
	err := s.apply(ctx, in, func(c *change) error {
		l, err := c.ticketLease(ctx, who, c.at)
		if errors.Is(err, errRedeemed) {
			return errStale
		}
		if err != nil {
			return err
		}
		if _, err := c.chosenSecrets(ctx, l.secretIDs()); !errors.Is(err, ErrNotFound) {
			return errors.Join(err, errStale)
		}
		c.about(l)
		c.record(l.target())
		return c.endLease(ctx, l)
	})
	if err != nil {
		return err
	}
	return &Error{
		Kind:   Conflict,
		Detail: "A secret of the lease was deleted, so the lease has ended: ask for another one",
	}
}

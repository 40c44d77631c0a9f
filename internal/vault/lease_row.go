package vault

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
)

// Row is what the ledger lists of a lease that is open.
func (l StoredLease) Row() anchor.Row {
	row := anchor.NewRow("lease").ID(l.User).ID(l.ID).ID(l.APIKey).Text(l.APIKeyName).
		ID(l.By.Grant).ID(l.By.User).Text(l.By.Name).Text(string(l.Delivery)).
		Bytes(l.Ticket).Text(l.Run.ID).Text(l.Run.Label).Number(uint64(len(l.Secrets)))
	for _, s := range l.Secrets {
		row = row.ID(s.ID).Text(s.Name)
		if l.Delivery == ByBroker {
			row = row.Bytes(s.Placeholder)
		}
	}
	if l.Delivery == ByBroker {
		row = row.Text(l.Limits.Text())
	}
	return row.Time(l.CreatedAt).Time(l.ExpiresAt)
}

// Entry is the entry of a ledger for a lease: the first bytes of its row's code, and when it ends.
func (l StoredLease) Entry(code []byte) []byte {
	return binary.BigEndian.AppendUint64(code, uint64(l.ExpiresAt.UnixMicro()))
}

// ClaimsOpen reports whether the row says that its ticket was neither redeemed nor revoked, or that
// a broker knows it, which the ledger must confirm.
func (l StoredLease) ClaimsOpen() bool {
	return l.Delivery != ByBundle && l.RedeemedAt.IsZero() && l.RevokedAt.IsZero()
}

func (p *page) leaseEntry(l StoredLease) []byte {
	return l.Entry(l.Row().Entry(p.signer, anchor.KeyEntry))
}

// isOpen reports whether the ledger lists a lease: it can be used until it expires.
func (p *page) isOpen(l StoredLease) bool {
	return l.User == p.owner && p.ledger.Leases.Has(p.leaseEntry(l))
}

// checkLease returns an error for a row that is not one of the user's leases, or claims to be open
// and is not. One that had expired when the ledger was stored is not listed any more.
func (p *page) checkLease(l StoredLease) error {
	expired := uint64(max(l.ExpiresAt.UnixMicro(), 0)) <= p.ledger.Number
	if l.User != p.owner || l.ClaimsOpen() && !expired && !p.isOpen(l) {
		return tampered("lease "+l.ID.String()+" of user "+p.owner.String(), errNotListed)
	}
	return nil
}

// storedLease returns one of the user's leases. NotFound: there is none of that id.
func (p *page) storedLease(ctx context.Context, id uuid.UUID) (StoredLease, error) {
	l, err := p.rows.Lease(ctx, p.owner, id)
	if errors.Is(err, ErrNotFound) {
		if err := p.checkOpenLeases(ctx); err != nil { // is it hidden?
			return StoredLease{}, err
		}
	}
	if err == nil && l.ID != id {
		err = tampered("lease "+id.String(), errIndex)
	}
	if err == nil {
		err = p.checkLease(l)
	}
	return l, err
}

// openLeases returns the user's leases that the ledger lists, of which none may be missing.
func (p *page) openLeases(ctx context.Context) (open []StoredLease, err error) {
	found, err := p.rows.OpenLeases(ctx, p.owner)
	if err != nil {
		return nil, err
	}
	for _, l := range found {
		if err := p.checkLease(l); err != nil {
			return nil, err
		}
		if p.isOpen(l) {
			open = append(open, l)
		}
	}
	return open, p.checkComplete(p.ledger.Leases, len(open), "leases")
}

func (p *page) checkOpenLeases(ctx context.Context) error {
	_, err := p.openLeases(ctx)
	return err
}

// state returns the state of a lease at a time. Of one that the ledger lists, only that counts.
func (p *page) state(l StoredLease, now time.Time) LeaseState {
	expired := !l.ExpiresAt.After(now)
	switch {
	case p.isOpen(l) && !expired:
		return LeaseActive
	case p.isOpen(l):
		return LeaseExpired
	case !l.RevokedAt.IsZero():
		return LeaseRevoked
	case !l.DisputedAt.IsZero():
		return LeaseDisputed
	case expired || l.RedeemedAt.IsZero():
		return LeaseExpired
	}
	return LeaseRedeemed
}

// withState returns a lease with its state at a time.
func (p *page) withState(l StoredLease, now time.Time) Lease { return Lease{l, p.state(l, now)} }

// addLease stores a new lease, and removes a few that ended long ago.
func (c *change) addLease(ctx context.Context, l StoredLease) error {
	old, err := c.rows.LeasesBefore(ctx, c.owner, firstID(c.at.Add(-keepLeases)), removeLeases)
	if err != nil {
		return err
	}
	for _, old := range old {
		if c.isOpen(old) { // the clock was wrong
			continue
		}
		if err := c.tx.DeleteLease(ctx, c.owner, old.ID); err != nil {
			return err
		}
	}
	if l.Delivery != ByBundle {
		c.ledger.Leases.Add(c.leaseEntry(l))
	}
	if l.Delivery != ByTicket {
		if err := c.tx.CountUses(ctx, l, c.at); err != nil {
			return err
		}
	}
	return c.tx.InsertLease(ctx, l)
}

// endLease takes a lease off the ledger and stores when it was revoked.
func (c *change) endLease(ctx context.Context, l StoredLease) error {
	c.ended = c.ended || l.Delivery == ByBroker
	c.ledger.Leases.Remove(c.leaseEntry(l))
	return c.tx.RevokeLease(ctx, l.User, l.ID, c.at)
}

package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// createdAgain answers a request for a lease that was made before: with the ticket, which can be
// said again to the API key that asked, or with a bundle that is sealed again and recorded again.
// why is its error. Conflict: neither can be done any more.
func (s *Service) createdAgain(
	ctx context.Context, who Actor, in LeaseRequest, id uuid.UUID, why error,
) (Delivered, error) {
	who.Once = nil
	var lease Lease
	var taken sealedSecrets
	err := s.view(ctx, who, policy.LeaseCreate, func(p *page) error {
		stored, err := p.leaseFor(ctx, who, id)
		if err != nil {
			return err
		}
		lease = p.withState(stored, s.now())
		if lease.Delivery == ByBundle && lease.State == LeaseRedeemed {
			taken, err = p.take(ctx, in.Secrets.ids)
		}
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return Delivered{}, goneSince(why)
	}
	if err != nil {
		return Delivered{}, err
	}
	switch lease.Delivery {
	case ByTicket:
		return s.ticketAgain(who, lease, why)
	case ByBroker:
		return s.brokeredAgain(ctx, who, lease, why)
	case ByBundle:
	}
	if lease.State != LeaseRedeemed || !lease.has(taken.secrets) {
		return Delivered{}, goneSince(why)
	}
	sealed, err := s.sealBundle(ctx, taken, lease.StoredLease, in.Recipient)
	if err != nil {
		return Delivered{}, err
	}
	err = s.update(ctx, inOwnLibrary(who, policy.LeaseCreate), func(c *change) error {
		if err := c.stillCurrent(taken); err != nil {
			return goneSince(why)
		}
		again := StoredLease{ID: lease.ID, Run: in.Run} // nothing vouches for the row
		again.release(taken.secrets, c.at)
		c.recordSecrets(again)
		return nil
	})
	if err != nil {
		return Delivered{}, err
	}
	return Delivered{Lease: lease, Server: taken.server, Bundle: sealed}, nil
}

// isOf reports whether the caller's API key asked for the lease, by the grant that it has now.
func (l StoredLease) isOf(who Actor) bool {
	return l.APIKey == who.Credential.ID && l.By.Grant == who.acting().Grant
}

// ticketAgain returns the ticket of a lease that can be redeemed, as long as an instance key that
// is believed made it. The ticket lives as long as the API key that asked for it, and is recorded
// as that key's: no other gets it.
func (s *Service) ticketAgain(who Actor, lease Lease, why error) (Delivered, error) {
	if lease.State != LeaseActive || !lease.isOf(who) {
		return Delivered{}, goneSince(why)
	}
	for _, key := range s.instance.all() {
		ticket := ticketOf(key, lease.ID)
		hash, ok := hashToken(ticketPrefix, ticket)
		if ok && string(hash[:]) == string(lease.Ticket) {
			return Delivered{Lease: lease, Ticket: ticket}, nil
		}
	}
	return Delivered{}, goneSince(why)
}

// has reports whether these secrets, in their versions, are those that the lease handed out.
func (l StoredLease) has(secrets []StoredSecret) bool {
	if len(l.Secrets) != len(secrets) {
		return false
	}
	for i, s := range secrets {
		if l.Secrets[i].ID != s.ID || l.Secrets[i].Version != s.Version {
			return false
		}
	}
	return true
}

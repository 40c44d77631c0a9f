package vault

import (
	"context"
	"net/netip"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
)

// A Dispute is a ticket that was presented once more after it was redeemed.
type Dispute struct {
	User, Lease uuid.UUID
	Client      netip.Addr
}

// disputes are those that were found, until they are logged.
type disputes struct {
	mu      sync.Mutex
	count   uint64
	pending []Dispute
}

// maxDisputes bounds those that wait to be logged: who has a ticket may present it again and again.
const maxDisputes = 100

func (d *disputes) add(found Dispute) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count++
	if len(d.pending) < maxDisputes && !slices.Contains(d.pending, found) {
		d.pending = append(d.pending, found)
	}
}

// Disputes returns how often a ticket was presented that had been redeemed.
func (s *Service) Disputes() uint64 {
	s.disputes.mu.Lock()
	defer s.disputes.mu.Unlock()
	return s.disputes.count
}

// NewDisputes returns the disputes since the last call, which are to be logged. The server asks
// every few seconds.
func (s *Service) NewDisputes() []Dispute {
	s.disputes.mu.Lock()
	defer s.disputes.mu.Unlock()
	found := s.disputes.pending
	s.disputes.pending = nil
	return found
}

// dispute marks the lease of a ticket that was redeemed before, and records from where it was
// presented again: the first time before it is answered, then as a number a minute. It returns why
// the ticket is refused.
func (s *Service) dispute(ctx context.Context, who Actor) error {
	s.disputes.add(Dispute{User: who.Owner(), Lease: who.Credential.ID, Client: who.Client})
	err := s.refusals.add(ctx, who, policy.LeaseDispute, s.now(), func() error {
		in := inOwnLibrary(who, policy.LeaseDispute)
		in.outcome = audit.Refused
		return s.apply(ctx, in, func(c *change) error {
			l, err := c.storedLease(ctx, who.Credential.ID)
			if err != nil {
				return err
			}
			c.about(l)
			c.record(l.target())
			if !l.DisputedAt.IsZero() {
				return nil
			}
			return c.tx.DisputeLease(ctx, l.User, l.ID, c.at)
		})
	})
	if err != nil {
		return err
	}
	return &Error{
		Kind: Conflict,
		Detail: "The ticket was redeemed before: if you have not done that, somebody else has " +
			"it. The lease is disputed now",
	}
}

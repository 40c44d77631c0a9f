package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// How many leases a page has, and how many are looked at for one.
const (
	MaxLeasePage     = 200
	defaultLeasePage = 50
	maxLeaseScan     = 1000
)

// A LeaseFilter chooses among the caller's leases. The zero LeaseFilter is the first page of all.
type LeaseFilter struct {
	State  LeaseState
	Secret uuid.UUID
	Run    string
	Before uuid.UUID // the last lease of the page before
	Limit  int       // 0 for the default
}

// NewLeaseState returns the state of that name. Invalid: there is none.
func NewLeaseState(text string) (LeaseState, error) {
	switch state := LeaseState(text); state {
	case LeaseActive, LeaseRedeemed, LeaseExpired, LeaseRevoked, LeaseDisputed:
		return state, nil
	}
	return "", invalid(Field{
		"state", OneOf, "Must be active, redeemed, expired, revoked or disputed",
	})
}

// ListLeases returns a page of the caller's leases, or of those that the caller asked for in place
// of another user, newest first, and the lease after which the next page begins; nil for the last
// page. With a filter, a page looks at 1,000 leases, and may have fewer than there is room for. It
// needs the scope secrets:read. Invalid: the page is to begin after a lease that is not there.
func (s *Service) ListLeases(
	ctx context.Context, who Actor, f LeaseFilter,
) (leases []Lease, next uuid.UUID, err error) {
	if f.Limit <= 0 || f.Limit > MaxLeasePage {
		f.Limit = defaultLeasePage
	}
	q := LeaseQuery{
		State: f.State, Secret: f.Secret, Run: f.Run, Before: f.Before, Now: s.now(),
		Limit: f.Limit + 1, By: who.acting().User,
	}
	err = s.view(ctx, who, policy.LeaseList, func(p *page) (err error) {
		if err := p.checkOpenLeases(ctx); err != nil {
			return err
		}
		if err := p.checkBefore(ctx, q.Before); err != nil {
			return err
		}
		if q.From, err = p.oldestOf(ctx, q.Before, maxLeaseScan); err != nil {
			return err
		}
		leases, err = p.leases(ctx, q)
		return err
	})
	if err != nil {
		return nil, uuid.Nil, err
	}
	if len(leases) > f.Limit {
		leases = leases[:f.Limit]
		return leases, leases[f.Limit-1].ID, nil
	}
	return leases, q.From, nil
}

// checkBefore refuses a page that begins after what is no lease of the user.
func (p *page) checkBefore(ctx context.Context, before uuid.UUID) error {
	if before == uuid.Nil {
		return nil
	}
	_, err := p.rows.Lease(ctx, p.owner, before)
	if errors.Is(err, ErrNotFound) {
		err = errNoCursor
	}
	return err
}

// oldestOf returns the oldest of the newest n of the user's leases that are older than one, or nil
// if there are no others.
func (p *page) oldestOf(ctx context.Context, before uuid.UUID, n int) (uuid.UUID, error) {
	oldest, err := p.rows.NthLease(ctx, p.owner, before, n)
	if errors.Is(err, ErrNotFound) {
		return uuid.Nil, nil
	}
	return oldest, err
}

// leases returns the user's leases that a query chooses.
func (p *page) leases(ctx context.Context, q LeaseQuery) ([]Lease, error) {
	found, err := p.rows.Leases(ctx, p.owner, q)
	if err != nil {
		return nil, err
	}
	leases := make([]Lease, len(found))
	for i, l := range found {
		if err := p.checkLease(l); err != nil {
			return nil, err
		}
		leases[i] = p.withState(l, q.Now)
	}
	return leases, nil
}

// GetLease returns one of the caller's leases. It needs the scope secrets:read.
// NotFound: there is none of that id, it is another user's, or the caller acts for its user and has
// not asked for it.
func (s *Service) GetLease(ctx context.Context, who Actor, id uuid.UUID) (lease Lease, err error) {
	err = s.view(ctx, who, policy.LeaseGet, func(p *page) error {
		stored, err := p.leaseFor(ctx, who, id)
		if err == nil {
			lease = p.withState(stored, s.now())
		}
		return err
	})
	return lease, err
}

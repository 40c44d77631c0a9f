package vault

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// A RunUse is a lease with a secret, and what its run did with it: a help for people, which nothing
// vouches for.
type RunUse struct {
	Lease

	Live     bool  // neither revoked nor expired
	Requests int64 // at the broker, with all secrets of the lease
}

// maxRunUses is how many leases SecretRuns returns.
const maxRunUses = 20

// SecretRuns returns the newest leases with one of the caller's secrets, newest first, and whether
// there are more. They are looked for among the user's newest ones. It needs the scope
// secrets:read. NotFound: there is none of that id, or it is another user's.
func (s *Service) SecretRuns(
	ctx context.Context, who Actor, id uuid.UUID,
) (runs []RunUse, more bool, err error) {
	err = s.view(ctx, who, policy.UsageGet, func(p *page) error {
		runs, more = nil, false
		if _, err := p.secret(ctx, id); err != nil {
			return err
		}
		if err := p.checkOpenLeases(ctx); err != nil {
			return err
		}
		q := LeaseQuery{Secret: id, Now: s.now(), Limit: maxRunUses + 1}
		var err error
		if q.From, err = p.oldestOf(ctx, uuid.Nil, maxLeaseScan); err != nil {
			return err
		}
		found, err := p.leases(ctx, q)
		if err != nil {
			return err
		}
		more = len(found) > maxRunUses || q.From != uuid.Nil
		for _, l := range found[:min(len(found), maxRunUses)] {
			use, err := p.rows.BrokerUse(ctx, p.owner, l.ID)
			if err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
			live := l.ExpiresAt.After(q.Now) && l.State != LeaseRevoked && l.State != LeaseExpired
			runs = append(runs, RunUse{l, live, use.Requests})
		}
		return nil
	})
	return runs, more, err
}

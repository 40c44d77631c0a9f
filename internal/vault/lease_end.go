package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// EndLeases revokes every lease whose ticket can be redeemed, as a restore must: what was redeemed
// after the backup would be open again. It returns how many there were. Nothing is signed that does
// not verify.
func (o *Operator) EndLeases(ctx context.Context) (ended int, err error) {
	var users []uuid.UUID
	err = o.view(ctx, func(s *snapshot) error {
		users = nil
		return s.rows.Ledgers(ctx, func(stored StoredLedger) error {
			p, err := s.verify(stored, stored.Owner)
			if err == nil && p.ledger.Leases.Len() > 0 {
				users = append(users, stored.Owner)
			}
			return err
		})
	})
	if err != nil {
		return 0, err
	}
	for _, user := range users {
		n := 0
		in := intent{action: policy.BackupRestore, library: userLibrary(user)}
		err := o.transact(ctx, in, func(c *change) error {
			open, err := c.openLeases(ctx)
			if err != nil {
				return err
			}
			for _, l := range open {
				if err := c.endLease(ctx, l); err != nil {
					return err
				}
			}
			n = len(open)
			return c.save(ctx, c.tx, c.at)
		})
		if err != nil {
			return ended, err
		}
		ended += n
	}
	return ended, nil
}

// listLeases lists leases again, for another instance key.
func (c *change) listLeases(open []StoredLease) error {
	for _, l := range open {
		if !c.ledger.Leases.Add(c.leaseEntry(l)) {
			return c.twice("lease")
		}
	}
	return nil
}

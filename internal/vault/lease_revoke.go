package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/policy"
)

// RevokeLease ends one of the caller's leases. A ticket that was not redeemed is of no use from
// then on. delivered reports whether the values were handed out, which nothing takes back. One that
// was revoked before is not revoked again. It needs the scope leases:write. NotFound: as of
// [Service.GetLease].
func (s *Service) RevokeLease(
	ctx context.Context, who Actor, id uuid.UUID,
) (revoked Lease, delivered bool, err error) {
	err = s.update(ctx, inOwnLibrary(who, policy.LeaseRevoke), func(c *change) error {
		l, err := c.leaseFor(ctx, who, id)
		if err != nil {
			return err
		}
		c.about(l)
		c.record(l.target())
		open := c.isOpen(l)
		if !open && !l.RevokedAt.IsZero() {
			revoked, delivered = c.withState(l, c.at), l.delivered()
			return errUnchanged
		}
		if err := c.endLease(ctx, l); err != nil {
			return err
		}
		l.RevokedAt = c.at
		revoked, delivered = c.withState(l, c.at), !open && l.delivered()
		return nil
	})
	if err != nil {
		return Lease{}, false, err
	}
	return revoked, delivered, nil
}

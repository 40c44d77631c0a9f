package storetest

import (
	"context"

	"github.com/keysake/keysake/internal/vault"
)

func revokesLiveLeases(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	kept := s.addLease(bob.Owner, nil)
	now := moment(30)
	active := s.addLease(ann.Owner, nil)
	redeemed := s.addLease(ann.Owner, func(l *vault.StoredLease) { l.RedeemedAt = moment(1) })
	expired := s.addLease(ann.Owner, func(l *vault.StoredLease) { l.ExpiresAt = now })
	revoked := s.addLease(ann.Owner, func(l *vault.StoredLease) { l.RevokedAt = moment(2) })
	open := func() []vault.StoredLease {
		return got(s, func(ctx context.Context, r vault.Reader) ([]vault.StoredLease, error) {
			open, damaged, err := r.ReadableOpenLeases(ctx, ann.Owner)
			if damaged > 0 {
				s.Errorf("%d are damaged", damaged)
			}
			return open, err
		})
	}
	s.wantSame("open", open(), []vault.StoredLease{active, expired})
	for _, want := range []int{2, 0} {
		s.update(func(tx vault.Tx) error {
			n, err := tx.RevokeLiveLeases(s.ctx, ann.Owner, now)
			if err == nil && n != want {
				s.Errorf("%d are revoked, not %d", n, want)
			}
			return err
		})
	}
	active.RevokedAt, redeemed.RevokedAt = now, now
	s.wantSame("leases", s.leases(ann.Owner, vault.LeaseQuery{}),
		[]vault.StoredLease{revoked, expired, redeemed, active})
	s.wantSame("the other user's", s.leases(bob.Owner, vault.LeaseQuery{}),
		[]vault.StoredLease{kept})
	s.wantSame("open after it", open(), []vault.StoredLease{expired})
}

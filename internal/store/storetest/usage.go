package storetest

import (
	"context"
	"time"

	"github.com/keysake/keysake/internal/vault"
)

func usageByDay(s subject) {
	ann, bob := s.addUser("ann"), s.addUser("bob")
	day := func(n int) time.Time { return time.Date(2026, 4, n, 0, 0, 0, 0, time.UTC) }
	use := func(n int, of vault.StoredUser, leases, runs, secrets int64) {
		s.update(func(tx vault.Tx) error {
			return tx.AddUsage(s.ctx, vault.UserDay{
				Day: day(n), User: of.Owner, Leases: leases, Runs: runs, Secrets: secrets,
			})
		})
	}
	days := func(from, limit int) []vault.UsageDay {
		return got(s, func(ctx context.Context, r vault.Reader) ([]vault.UsageDay, error) {
			return r.UsageByDay(ctx, day(from), limit)
		})
	}
	s.wantSame("before any use", len(days(1, 9)), 0)
	use(1, ann, 1, 0, 5)
	use(1, ann, 2, 1, 3)
	use(1, bob, 4, 4, 4)
	use(3, bob, 1, 0, 1)
	use(3, vault.StoredUser{StoredLedger: vault.StoredLedger{Owner: newID()}}, 9, 9, 9)
	first := vault.UsageDay{Day: day(1), Users: 2, Leases: 7, Runs: 5, Secrets: 12}
	third := vault.UsageDay{Day: day(3), Users: 1, Leases: 1, Secrets: 1}
	s.wantSame("all days", days(1, 9), []vault.UsageDay{first, third})
	s.wantSame("the last days", days(2, 9), []vault.UsageDay{third})
	s.wantSame("the newest row", days(1, 1), []vault.UsageDay{third})

	s.update(func(tx vault.Tx) error { return tx.DeleteLeases(s.ctx, ann.Owner) })
	first = vault.UsageDay{Day: day(1), Users: 1, Leases: 4, Runs: 4, Secrets: 4}
	s.wantSame("without what ann used", days(1, 9), []vault.UsageDay{first, third})
	s.update(func(tx vault.Tx) error { return tx.DropUsage(s.ctx, day(3), 9) })
	s.wantSame("of the third day on", days(1, 9), []vault.UsageDay{third})
}

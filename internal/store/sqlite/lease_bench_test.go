package sqlite_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// BenchmarkLiveLeases counts the live leases of a user who made 20,000 in 90 days, of 5 secrets out
// of 100 each, and of one who made them all in the last hour: go test -bench LiveLeases.
func BenchmarkLiveLeases(b *testing.B) {
	const count = 20_000
	now := time.Now().UTC().Truncate(time.Microsecond)
	for what, age := range map[string]time.Duration{
		"90 days": 90 * 24 * time.Hour, "an hour": time.Hour,
	} {
		b.Run(what, func(b *testing.B) {
			db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "keysake.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close()
			user := storetest.NewUser("ann")
			secrets := make([]uuid.UUID, 100)
			for i := range secrets {
				secrets[i] = uuid.Must(uuid.NewV7())
			}
			for n := 0; n < count; n += 1000 {
				err := db.Update(b.Context(), func(tx vault.Tx) error {
					if n == 0 {
						if err := tx.InsertUser(b.Context(), user); err != nil {
							return err
						}
					}
					for i := n; i < n+1000; i++ {
						at := now.Add(-age + age*time.Duration(i)/count)
						if err := tx.InsertLease(b.Context(), bundleLease(user.Owner, at,
							secrets[i*5%100:][:5])); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			query := vault.LeaseQuery{Live: true, Now: now, Limit: 1000}
			for b.Loop() {
				err := db.View(b.Context(), func(r vault.Reader) (err error) {
					query.From, err = r.NthLease(b.Context(), user.Owner, uuid.Nil, 1000)
					if err != nil {
						return err
					}
					_, err = r.Leases(b.Context(), user.Owner, query)
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// bundleLease returns a lease of secrets that was made at a time, and lives for two hours.
func bundleLease(user uuid.UUID, at time.Time, secrets []uuid.UUID) vault.StoredLease {
	l := vault.StoredLease{
		User: user, ID: idOf(at), APIKey: user, Delivery: vault.ByBundle,
		CreatedAt: at, ExpiresAt: at.Add(2 * time.Hour), RedeemedAt: at,
	}
	for i, id := range secrets {
		l.Secrets = append(l.Secrets, vault.LeasedSecret{
			ID: id, Name: fmt.Sprint("SECRET_", i), Version: 1,
		})
	}
	return l
}

// idOf returns an id of version 7 that is made at a time.
func idOf(at time.Time) uuid.UUID {
	id := uuid.Must(uuid.NewV7())
	milli := binary.BigEndian.AppendUint64(nil, uint64(at.UnixMilli()))
	copy(id[:6], milli[2:])
	return id
}

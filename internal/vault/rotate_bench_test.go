package vault_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// BenchmarkRewrapping is of a rotation of the root key with 100,000 users: go test -bench
// Rewrapping -benchtime 1x.
func BenchmarkRewrapping(b *testing.B) {
	const users = 100_000
	r := startRotating(b, b.TempDir())
	defer r.db.Close()
	root := r.newRoot()
	r.must(r.AddRootKey(b.Context(), root, "file:/first", ""))
	for range users / 1000 {
		r.must(r.db.Update(b.Context(), func(tx vault.Tx) error {
			for range 1000 {
				user, id := uuid.Must(uuid.NewV7()), uuid.Must(uuid.NewV7())
				blob, err := root.Wrap(b.Context(), user, seal.NewOwnerKey(id))
				r.must(err)
				r.must(
					tx.InsertUser(
						b.Context(),
						vault.User{
							ID:        user,
							Username:  user.String(),
							OwnerKey:  id,
							CreatedAt: time.Now(),
						},
					),
				)
				r.must(
					tx.InsertOwnerKey(
						b.Context(),
						vault.StoredOwnerKey{
							ID:        id,
							User:      user,
							RootKey:   root.ID(),
							Wrapped:   blob,
							CreatedAt: time.Now(),
						},
					),
				)
			}
			return nil
		}))
	}
	r.RotateInBatchesOf(50)
	for b.Loop() {
		next := r.newRoot()
		r.must(r.AddRootKey(b.Context(), next, "file:/"+next.ID().String(), ""))
		r.must(r.Rewrap(b.Context(), func(int, int) {}))
	}
	b.ReportMetric(float64(users)*float64(b.N)/b.Elapsed().Seconds(), "owner-keys/s")
}

//go:build unix

package sqlite_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// benchUsers is how many users the benchmarks' rows are spread over.
const benchUsers = 100

type benchStore struct {
	*sqlite.DB

	users   []uuid.UUID
	secrets []vault.StoredSecret
	seq     atomic.Uint64
}

func randomBlob(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

func benchSecret(user uuid.UUID, name string) vault.StoredSecret {
	at := storetest.NewUser("").CreatedAt
	return vault.StoredSecret{
		ID: uuid.Must(uuid.NewV7()), User: user, Name: name, Provider: "openai", Version: 1,
		Stamp: seal.NewStamp(), SealedValue: randomBlob(130), SealedMask: randomBlob(90),
		CreatedAt: at, UpdatedAt: at,
	}
}

// newBench returns a store in which each user has 50 secrets.
func newBench(b *testing.B) *benchStore {
	b.Helper()
	db, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "keysake.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := db.Close(); err != nil {
			b.Error(err)
		}
	})
	s := &benchStore{DB: db}
	ctx := context.Background()
	err = db.Update(ctx, func(tx vault.Tx) error {
		s.users, s.secrets = nil, nil
		for i := range benchUsers {
			u := storetest.NewUser(fmt.Sprint("user", i))
			if err := tx.InsertUser(ctx, u); err != nil {
				return err
			}
			s.users = append(s.users, u.Owner)
			for j := range 50 {
				n := benchSecret(u.Owner, fmt.Sprint("NAME_", j))
				if err := tx.InsertSecret(ctx, n); err != nil {
					return err
				}
				s.secrets = append(s.secrets, n)
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s
}

// create does what the creation of a secret does to the store.
func (s *benchStore) create(i int) error {
	ctx, user := context.Background(), s.users[i%benchUsers]
	n := benchSecret(user, fmt.Sprint("CREATED_", i))
	ledger := randomBlob(700)
	return s.Update(ctx, func(tx vault.Tx) error {
		l, err := tx.LockLedger(ctx, user)
		if err != nil {
			return err
		}
		if err := tx.InsertSecret(ctx, n); err != nil {
			return err
		}
		entry := audit.Linked{Entry: audit.Entry{
			Owner: user, At: n.CreatedAt, User: user, Action: "secret.create",
			Seq: s.seq.Add(1),
		}}
		if err := tx.AppendAudit(ctx, []audit.Linked{entry}); err != nil {
			return err
		}
		before := l.Number
		l.Number++
		l.Signed = ledger
		return tx.SaveLedger(ctx, l, before)
	})
}

// clients runs an operation b.N times, with some callers at once, and reports processor time.
func clients(b *testing.B, callers int, do func(i int) error) {
	b.Helper()
	var n atomic.Int64
	var all sync.WaitGroup
	b.ReportAllocs()
	before := processorTime()
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			for i := int(n.Add(1)); i <= b.N; i = int(n.Add(1)) {
				if err := do(i); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processorTime()-before).Nanoseconds())/float64(b.N), "cpu-ns/op")
}

func processorTime() time.Duration {
	var used syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

func BenchmarkRead(b *testing.B) {
	s, ctx := newBench(b), context.Background()
	clients(b, 1, func(i int) error {
		n := s.secrets[i*7%len(s.secrets)]
		return s.Read(ctx, func(r vault.Reader) error {
			_, err := r.Secret(ctx, n.User, n.ID)
			return err
		})
	})
}

func BenchmarkSecretsOf(b *testing.B) {
	s, ctx := newBench(b), context.Background()
	clients(b, 1, func(i int) error {
		var ids []uuid.UUID
		first := i % benchUsers * 50
		for _, n := range s.secrets[first : first+5] {
			ids = append(ids, n.ID)
		}
		return s.View(ctx, func(r vault.Reader) error {
			_, err := r.SealedSecretsOf(ctx, s.users[i%benchUsers], ids)
			return err
		})
	})
}

func BenchmarkView(b *testing.B) {
	s, ctx := newBench(b), context.Background()
	clients(b, 1, func(i int) error {
		n := s.secrets[i*7%len(s.secrets)]
		return s.View(ctx, func(r vault.Reader) error {
			_, err := r.Secret(ctx, n.User, n.ID)
			return err
		})
	})
}

func BenchmarkList50(b *testing.B) {
	s, ctx := newBench(b), context.Background()
	clients(b, 1, func(i int) error {
		return s.Read(ctx, func(r vault.Reader) error {
			_, err := r.Secrets(ctx, s.users[i%benchUsers])
			return err
		})
	})
}

func BenchmarkCreate(b *testing.B) {
	for _, callers := range []int{1, 64} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			clients(b, callers, newBench(b).create)
		})
	}
}

func BenchmarkLease(b *testing.B) {
	s, ctx := newBench(b), context.Background()
	clients(b, 16, func(i int) error {
		n := s.secrets[i*7/50*50%len(s.secrets)]
		l := vault.StoredLease{
			User: n.User, ID: uuid.Must(uuid.NewV7()), APIKey: n.ID, APIKeyName: "key",
			Delivery: "bundle", CreatedAt: n.CreatedAt, ExpiresAt: n.CreatedAt,
		}
		var entries []audit.Linked
		for j := range 5 {
			l.Secrets = append(l.Secrets, vault.LeasedSecret{
				ID: s.secrets[(i*7/50*50+j)%len(s.secrets)].ID, Version: 1, Name: "NAME",
			})
			entries = append(entries, audit.Linked{Entry: audit.Entry{
				Owner: n.User, At: n.CreatedAt, User: n.User, Action: "lease.create",
				Seq: s.seq.Add(1),
			}})
		}
		return s.Update(ctx, func(tx vault.Tx) error {
			if err := tx.InsertLease(ctx, l); err != nil {
				return err
			}
			if err := tx.CountUses(ctx, l, n.CreatedAt); err != nil {
				return err
			}
			return tx.AppendAudit(ctx, entries)
		})
	})
}

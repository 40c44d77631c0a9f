package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

func contextBehaviours() []behaviour {
	return []behaviour{
		{"an update whose caller was gone before never runs", goneBefore},
		{"a caller who goes away while the update waits is not left in doubt", goneWaiting},
		{"a caller who goes away while the update runs is told that it succeeded", func(s subject) {
			ctx, cancel := context.WithCancel(s.ctx)
			u := NewUser("ann")
			err := s.Update(ctx, func(tx vault.Tx) error {
				cancel()
				return tx.InsertUser(ctx, u)
			})
			if err != nil {
				s.Errorf("got %v, want success", err)
			}
			s.wantUser(u)
		}},
		{"a caller who goes away while the update runs is told that it failed", func(s subject) {
			ctx, cancel := context.WithCancel(s.ctx)
			u := NewUser("ann")
			err := s.Update(ctx, func(tx vault.Tx) error {
				if err := tx.InsertUser(ctx, u); err != nil {
					return err
				}
				cancel()
				return errOwn
			})
			if !errors.Is(err, errOwn) {
				s.Errorf("got %v, want the update's own error", err)
			}
			missing(s, "what it wrote", readUser(u.Owner))
		}},
		{"a caller who goes away does not affect the others", func(s subject) {
			ctx, cancel := context.WithCancel(s.ctx)
			ann, bob := NewUser("ann"), NewUser("bob")
			var all sync.WaitGroup
			slow := s.slowUpdate()
			for range 20 {
				all.Go(func() {
					_ = s.Update(ctx, func(tx vault.Tx) error { return tx.InsertUser(ctx, ann) })
				})
			}
			all.Go(func() {
				if err := s.try(func(tx vault.Tx) error {
					return tx.InsertUser(s.ctx, bob)
				}); err != nil {
					s.Error(err)
				}
			})
			cancel()
			slow.end()
			all.Wait()
			s.wantUser(bob)
		}},
	}
}

func goneBefore(s subject) {
	cancelled, cancel := context.WithCancel(s.ctx)
	cancel()
	late, stop := context.WithDeadline(s.ctx, time.Unix(0, 0))
	defer stop()
	var ran atomic.Int64
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 100 {
				for _, c := range []struct {
					ctx  context.Context //nolint:containedctx // a row of a table
					want error
				}{{cancelled, context.Canceled}, {late, context.DeadlineExceeded}} {
					err := s.Update(c.ctx, func(vault.Tx) error { ran.Add(1); return nil })
					if !errors.Is(err, c.want) {
						s.Errorf("got %v, want %v", err, c.want)
					}
				}
				// One that runs, so that the store is at work.
				s.wantNoError(s.try(func(vault.Tx) error { return nil }))
			}
		})
	}
	all.Wait()
	if n := ran.Load(); n > 0 {
		s.Errorf("%d updates ran whose callers were gone", n)
	}
}

func (s subject) wantNoError(err error) {
	s.Helper()
	if err != nil {
		s.Error(err)
	}
}

// goneWaiting: a store that lets updates wait gives up those whose callers left, another may have
// run them. Either is what it says.
func goneWaiting(s subject) {
	ann := s.addUser("ann")
	slow := s.slowUpdate()
	ctx, cancel := context.WithCancel(s.ctx)
	var all sync.WaitGroup
	var mu sync.Mutex
	want := map[uuid.UUID]bool{}
	for range 50 {
		all.Go(func() {
			n := secretOf(ann.Owner, newID().String())
			err := s.Update(ctx, func(tx vault.Tx) error { return tx.InsertSecret(ctx, n) })
			if err != nil && !errors.Is(err, context.Canceled) {
				s.Errorf("got %v, want success or %v", err, context.Canceled)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				want[n.ID] = true
			}
		})
	}
	cancel()
	slow.end()
	all.Wait()
	s.wantSecrets(ann.Owner, want)
}

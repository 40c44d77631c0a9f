package storetest

import (
	"sync"

	"github.com/keysake/keysake/internal/vault"
)

func closeBehaviours() []behaviour {
	return []behaviour{
		{"what comes after the end is unavailable, and does not run", func(s subject) {
			s.addUser("ann")
			s.wantNoError(s.Close())
			s.refuses(vault.Unavailable, "update", func(vault.Tx) error {
				s.Error("the update ran")
				return nil
			})
			ran := func(vault.Reader) error { s.Error("a view or a read ran"); return nil }
			s.wantKind(vault.Unavailable, "view", s.View(s.ctx, ran))
			s.wantKind(vault.Unavailable, "read", s.Read(s.ctx, ran))
			s.wantKind(vault.Unavailable, "ping", s.Ping(s.ctx))
		}},
		{"a store may be closed twice, also at the same time", func(s subject) {
			var all sync.WaitGroup
			for range 8 {
				all.Go(func() { s.wantNoError(s.Close()) })
			}
			all.Wait()
		}},
		{"an update that has begun is finished first", func(s subject) {
			slow := s.slowUpdate()
			closed := make(chan error, 1)
			go func() { closed <- s.Close() }()
			s.unavailableSoon()
			select {
			case <-closed:
				s.Error("closed while an update went on")
			default:
			}
			slow.end()
			s.wantNoError(<-closed)
		}},
		{"a view that has begun is finished first", func(s subject) {
			u := s.addUser("ann")
			closed := make(chan error, 1)
			s.wantNoError(s.View(s.ctx, func(r vault.Reader) error {
				go func() { closed <- s.Close() }()
				s.unavailableSoon()
				_, err := r.User(s.ctx, u.Owner)
				return err
			}))
			s.wantNoError(<-closed)
		}},
		{"everybody who calls during the end is answered", answeredDuringClose},
	}
}

// unavailableSoon returns when the store takes no more views.
func (s subject) unavailableSoon() {
	s.Helper()
	for {
		err := s.View(s.ctx, func(vault.Reader) error { return nil })
		if vault.KindOf(err) == vault.Unavailable {
			return
		}
		if err != nil {
			s.Errorf("got %v, want success or unavailable", err)
			return
		}
	}
}

func answeredDuringClose(s subject) {
	var all, busy sync.WaitGroup
	for i := range 64 {
		busy.Add(1)
		all.Go(func() {
			begun := sync.OnceFunc(busy.Done)
			for {
				var err error
				if i%2 == 0 {
					err = s.View(s.ctx, func(vault.Reader) error { return nil })
				} else {
					err = s.try(func(vault.Tx) error { return nil })
				}
				begun()
				if vault.KindOf(err) == vault.Unavailable {
					return
				}
				if err != nil {
					s.Errorf("got %v, want success or unavailable", err)
					return
				}
			}
		})
	}
	busy.Wait()
	s.wantNoError(s.Close())
	all.Wait()
}

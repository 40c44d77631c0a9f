package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/keysake/keysake/internal/vault"
)

func viewBehaviours() []behaviour {
	return []behaviour{
		{"a view does not see what is committed while it goes on", viewIsSnapshot},
		{"a view never sees half of an update", viewsSeeWholes},
		{"a view's error is returned", func(s subject) {
			err := s.View(s.ctx, func(vault.Reader) error { return errOwn })
			if !errors.Is(err, errOwn) {
				s.Errorf("got %v, want the view's own error", err)
			}
		}},
		{"a view that panics or fails leaves the store usable", func(s subject) {
			u := s.addUser("ann")
			for range 100 {
				func() {
					defer func() { _ = recover() }()
					_ = s.View(s.ctx, func(vault.Reader) error { panic("on purpose") })
					s.Error("the panic was swallowed")
				}()
				_ = s.View(s.ctx, func(vault.Reader) error { return errOwn })
			}
			s.wantUser(u)
		}},
		{"a store without rows can be asked for a sign of life", func(s subject) {
			if err := s.Ping(s.ctx); err != nil {
				s.Error(err)
			}
			s.addRootKey()
			if err := s.Ping(s.ctx); err != nil {
				s.Error(err)
			}
		}},
	}
}

func viewIsSnapshot(s subject) {
	ann := s.addUser("ann")
	first := s.addSecret(ann.Owner, "A")
	err := s.View(s.ctx, func(r vault.Reader) error {
		if n, err := r.Secrets(s.ctx, ann.Owner); err != nil || len(n) != 1 {
			return fmt.Errorf("at first: %d secrets, %w", len(n), err)
		}
		change := first
		change.Version = 2
		if err := s.Update(s.ctx, func(tx vault.Tx) error {
			return errors.Join(
				tx.InsertSecret(s.ctx, secretOf(ann.Owner, "B")), tx.UpdateSecret(s.ctx, change),
				tx.SaveLedger(s.ctx, ledgerOf(ann.Owner, 2), 0),
			)
		}); err != nil {
			return err
		}
		n, err := r.Secrets(s.ctx, ann.Owner)
		if err != nil {
			return err
		}
		l, err := r.Ledger(s.ctx, ann.Owner)
		if err != nil {
			return err
		}
		if len(n) != 1 || n[0].Version != 1 || l.Number != 0 {
			return fmt.Errorf(
				"the view changed while it went on: %d secrets, the first of version %d, ledger %d",
				len(n), n[0].Version, l.Number,
			)
		}
		return nil
	})
	if err != nil {
		s.Error(err)
	}
	s.wantSame("names that a later view sees", s.names(ann.Owner), []string{"A", "B"})
}

// viewsSeeWholes compares what updates always change together.
func viewsSeeWholes(s subject) {
	const updates = 200
	ann := s.addUser("ann")
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for running := true; running; {
				select {
				case <-done:
					running = false // and one more look, at the end
				default:
				}
				s.wantNoError(s.View(s.ctx, func(r vault.Reader) error {
					return s.countAgrees(r, ann)
				}))
			}
		})
	}
	for i := range updates {
		s.wantNoError(s.try(func(tx vault.Tx) error {
			return errors.Join(
				tx.InsertSecret(s.ctx, secretOf(ann.Owner, fmt.Sprintf("S%d", i))),
				tx.AppendAudit(s.ctx, oneEntry(ann.Owner, uint64(i)+1)),
				tx.SaveLedger(s.ctx, ledgerOf(ann.Owner, uint64(i)+1), uint64(i)),
			)
		}))
	}
	close(done)
	all.Wait()
}

func (s subject) countAgrees(r vault.Reader, u vault.StoredUser) error {
	l, err := r.Ledger(s.ctx, u.Owner)
	if err != nil {
		return err
	}
	n, err := r.Secrets(s.ctx, u.Owner)
	if err == nil && uint64(len(n)) != l.Number {
		err = fmt.Errorf("%d secrets where the ledger has the number %d", len(n), l.Number)
	}
	return err
}

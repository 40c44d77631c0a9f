package storetest

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/vault"
)

// RunTwice returns a store that undoes the first run of every function and runs it again, as a
// database does whose transactions may collide.
func RunTwice(s vault.Store) vault.Store { return twice{s} }

type twice struct{ store vault.Store }

var errUndo = errors.New("undo the first run")

// View implements [vault.Store].
func (t twice) View(ctx context.Context, fn func(vault.Reader) error) error {
	return runTwice(ctx, t.store.View, fn)
}

// Read implements [vault.Store].
func (t twice) Read(ctx context.Context, fn func(vault.Reader) error) error {
	return runTwice(ctx, t.store.Read, fn)
}

// Update implements [vault.Store].
func (t twice) Update(ctx context.Context, fn func(vault.Tx) error) error {
	return runTwice(ctx, t.store.Update, fn)
}

// UpdateReserved implements [vault.Store].
func (t twice) UpdateReserved(ctx context.Context, fn func(vault.Tx) error) error {
	return runTwice(ctx, t.store.UpdateReserved, fn)
}

// Moment implements [vault.Store].
func (t twice) Moment() uint64 { return t.store.Moment() }

// Unchanged implements [vault.Store].
func (t twice) Unchanged(user uuid.UUID, since uint64) bool {
	return t.store.Unchanged(user, since)
}

// SameAccess implements [vault.Store].
func (t twice) SameAccess(user uuid.UUID, since uint64) bool {
	return t.store.SameAccess(user, since)
}

func runTwice[T any](
	ctx context.Context, run func(context.Context, func(T) error) error, fn func(T) error,
) error {
	begun := false
	err := run(ctx, func(tx T) error {
		begun = true
		return errors.Join(fn(tx), errUndo)
	})
	if !begun {
		return err
	}
	return run(context.WithoutCancel(ctx), fn) // fn has begun: the outcome is awaited
}

func rerunBehaviours() []behaviour {
	return []behaviour{
		{"the first run of an update that is run again leaves nothing", func(s subject) {
			ann := s.addUser("ann")
			before, _ := s.Stats()
			runs := 0
			var made vault.StoredUser
			s.wantNoError(RunTwice(s.Store).Update(s.ctx, func(tx vault.Tx) error {
				runs++
				made = NewUser("bob") // with an id of this run
				l, err := tx.LockLedger(s.ctx, ann.Owner)
				if err != nil {
					return err
				}
				return errors.Join(
					tx.SaveLedger(s.ctx, ledgerOf(ann.Owner, l.Number+1), l.Number),
					tx.InsertUser(s.ctx, made),
					tx.InsertSecret(s.ctx, secretOf(ann.Owner, "A")),
				)
			}))
			s.wantSame("runs", runs, 2)
			s.wantUser(made)
			s.wantSame("users", len(s.users()), 2)
			s.wantSame("number of the ledger", got(s, readLedger(ann.Owner)).Number, uint64(1))
			s.wantSame("names", s.names(ann.Owner), []string{"A"})
			after, _ := s.Stats()
			s.wantSame("updates that were counted", after-before, uint64(1))
		}},
		{"what the last run of an update assigned is what was committed", lastRunCounts},
		{"an update that locks a ledger sees what the one before it committed", lockWaits},
	}
}

// lastRunCounts has updates of one ledger collide, where a database lets them.
func lastRunCounts(s subject) {
	const callers = 40
	ann := s.addUser("ann")
	var all sync.WaitGroup
	seen := make([]uint64, callers)
	for i := range callers {
		all.Go(func() {
			s.wantNoError(s.try(func(tx vault.Tx) error {
				l, err := tx.LockLedger(s.ctx, ann.Owner)
				if err != nil {
					return err
				}
				seen[i] = l.Number + 1
				return errors.Join(
					tx.AppendAudit(s.ctx, oneEntry(ann.Owner, seen[i])),
					tx.SaveLedger(s.ctx, ledgerOf(ann.Owner, seen[i]), l.Number),
				)
			}))
		})
	}
	all.Wait()
	slices.Sort(seen)
	for i, seq := range seen {
		s.wantSame("number in the chain", seq, uint64(i)+1)
	}
	s.wantSame("entries", len(s.entries(ann.Owner)), callers)
}

func lockWaits(s subject) {
	ann := s.addUser("ann")
	begun, release, first := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	once := sync.OnceFunc(func() { close(begun) })
	want := ledgerOf(ann.Owner, 1)
	go func() {
		first <- s.try(func(tx vault.Tx) error {
			_, err := tx.LockLedger(s.ctx, ann.Owner)
			once()
			<-release
			return errors.Join(err, tx.SaveLedger(s.ctx, want, 0))
		})
	}()
	<-begun
	second := make(chan error, 1)
	var locked vault.StoredLedger
	go func() {
		second <- s.try(func(tx vault.Tx) (err error) {
			locked, err = tx.LockLedger(s.ctx, ann.Owner)
			return err
		})
	}()
	close(release)
	s.wantNoError(<-first)
	s.wantNoError(<-second)
	s.wantSame("ledger", locked, want)
}

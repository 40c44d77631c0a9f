package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

var errOwn = errors.New("the update's own error")

// A batch is a number of updates that the writer has together, in the order in which they were
// handed in.
type batch struct {
	t       *testing.T
	db      *sqlite.DB
	release chan struct{}
	first   chan error
	answers []chan error
}

// newBatch keeps the writer busy until run.
func newBatch(t *testing.T, db *sqlite.DB) *batch {
	t.Helper()
	b := &batch{t: t, db: db, release: make(chan struct{}), first: make(chan error, 1)}
	begun := make(chan struct{})
	go func() {
		b.first <- db.Update(context.Background(), func(vault.Tx) error {
			close(begun)
			<-b.release
			return nil
		})
	}()
	<-begun
	return b
}

// add hands in an update and returns what its caller will be answered.
func (b *batch) add(ctx context.Context, do func(tx vault.Tx) error) <-chan error {
	b.t.Helper()
	answer := make(chan error, 1)
	go func() { answer <- b.db.Update(ctx, do) }()
	b.answers = append(b.answers, answer)
	for b.db.Queued() < len(b.answers) {
		runtime.Gosched()
	}
	return answer
}

// start lets the writer have the batch.
func (b *batch) start() {
	b.t.Helper()
	close(b.release)
	if err := <-b.first; err != nil {
		b.t.Fatal(err)
	}
}

// run lets the writer have the batch, and returns what the callers were answered.
func (b *batch) run() (errs []error) {
	b.t.Helper()
	b.start()
	for _, answer := range b.answers {
		errs = append(errs, <-answer)
	}
	return errs
}

func insert(name string) func(vault.Tx) error {
	return func(tx vault.Tx) error {
		return tx.InsertUser(context.Background(), storetest.NewUser(name))
	}
}

func TestUpdatesThatWaitShareACommit(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	b := newBatch(t, db)
	for i := range sqlite.MaxBatch {
		b.add(t.Context(), insert(fmt.Sprintf("user-%03d", i)))
	}
	for _, err := range b.run() {
		if err != nil {
			t.Error(err)
		}
	}
	if updates, commits := db.Stats(); updates != sqlite.MaxBatch+1 || commits != 2 {
		t.Errorf("%d updates in %d commits, want %d in 2: the one that kept the writer busy, "+
			"and the rest", updates, commits, sqlite.MaxBatch+1)
	}
	if n := len(usernames(t, db)); n != sqlite.MaxBatch {
		t.Errorf("%d users, want %d", n, sqlite.MaxBatch)
	}
}

func TestAFailingUpdateDoesNotAffectTheOthersInItsBatch(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	b := newBatch(t, db)
	then := func(name string, end error) func(vault.Tx) error {
		return func(tx vault.Tx) error { return errors.Join(insert(name)(tx), end) }
	}
	b.add(t.Context(), insert("a"))
	b.add(t.Context(), then("b", errOwn))
	b.add(t.Context(), insert("c"))
	b.add(t.Context(), func(tx vault.Tx) error { panic(insert("d")(tx)) })
	b.add(t.Context(), insert("a"))
	b.add(t.Context(), insert("b")) // the name that the failed one had for a moment
	for i, err := range b.run() {
		switch i {
		case 1:
			if !errors.Is(err, errOwn) {
				t.Errorf("update %d: got %v, want its own error", i, err)
			}
		case 3:
			if err == nil || vault.KindOf(err) != vault.Internal {
				t.Errorf("update %d: got %v, want an internal error", i, err)
			}
		case 4:
			if vault.KindOf(err) != vault.Conflict {
				t.Errorf("update %d: got %v, want a conflict", i, err)
			}
		default:
			if err != nil {
				t.Errorf("update %d: %v", i, err)
			}
		}
	}
	wantNames(t, db, "a", "b", "c")
}

func TestABatchRunsAgainAfterAnUpdateThatFailsOnceItHasWritten(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	b := newBatch(t, db)
	runs := map[string]int{} // only who has the turn adds to it
	counted := func(name string, do func(vault.Tx) error) {
		b.add(t.Context(), func(tx vault.Tx) error {
			runs[name]++
			return do(tx)
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	counted("before", insert("before"))
	b.add(ctx, insert("gone")) // its caller has gone when it would run again
	counted("reads", func(vault.Tx) error { return errOwn })
	counted("late", func(tx vault.Tx) error {
		cancel()
		return errors.Join(insert("late")(tx), errOwn)
	})
	counted("after", insert("after"))
	counted("late, too", func(tx vault.Tx) error {
		return errors.Join(insert("late")(tx), errOwn)
	})
	for i, err := range b.run() {
		want := []error{nil, context.Canceled, errOwn, errOwn, nil, errOwn}[i]
		if !errors.Is(err, want) {
			t.Errorf("update %d: got %v, want %v", i, err, want)
		}
	}
	want := map[string]int{"before": 2, "reads": 2, "late": 2, "after": 1, "late, too": 1}
	if diff := cmp.Diff(want, runs); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
	wantNames(t, db, "after", "before")
	if updates, commits := db.Stats(); updates != 3 || commits != 2 {
		t.Errorf("%d updates in %d commits, want 3 in 2", updates, commits)
	}
}

func TestABatchRunsOnceIfWhatFailsHasNotWritten(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	b := newBatch(t, db)
	runs := 0
	b.add(t.Context(), func(tx vault.Tx) error {
		runs++
		return insert("a")(tx)
	})
	b.add(t.Context(), func(vault.Tx) error { return errOwn })
	if errs := b.run(); errs[0] != nil || !errors.Is(errs[1], errOwn) || runs != 1 {
		t.Errorf("%d runs, %v", runs, errs)
	}
	wantNames(t, db, "a")
}

func TestNoCallerIsAnsweredBeforeTheCommit(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	b := newBatch(t, db)
	good := b.add(t.Context(), insert("a"))
	bad := b.add(t.Context(), func(vault.Tx) error { return errOwn })
	b.add(t.Context(), func(vault.Tx) error {
		for range 1000 { // enough time for an early answer to show
			runtime.Gosched()
		}
		if len(good) != 0 || len(bad) != 0 {
			t.Error("a caller was answered while the batch was written")
		}
		return db.View(context.Background(), func(r vault.Reader) error {
			_, err := r.UserNamed(context.Background(), "a")
			if !errors.Is(err, vault.ErrNotFound) {
				t.Errorf("a view in the middle of the batch got %v, want NotFound", err)
			}
			return nil
		})
	})
	b.start()
	if err := <-good; err != nil {
		t.Error(err)
	}
	wantNames(t, db, "a")
	if err := <-bad; !errors.Is(err, errOwn) {
		t.Errorf("got %v, want its own error", err)
	}
}

func TestWhoWritesIsAnsweredBeforeTheNextTransaction(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	b := newBatch(t, db)
	release := make(chan struct{})
	next := b.add(t.Context(), func(vault.Tx) error {
		<-release
		return nil
	})
	b.start() // it returns only when the first caller was answered
	if len(next) != 0 {
		t.Error("the next caller was answered before the end of its update")
	}
	close(release)
	if err := <-next; err != nil {
		t.Error(err)
	}
}

func TestAnUpdateThatIsCanceledWhileItWaitsNeverRuns(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	b := newBatch(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	given := b.add(ctx, func(vault.Tx) error { t.Error("it ran"); return nil })
	kept := b.add(t.Context(), insert("a"))
	cancel()
	// answered although the writer is still busy
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	b.start()
	if err := <-kept; err != nil {
		t.Error(err)
	}
	wantNames(t, db, "a")
}

func TestABatchOfCanceledUpdatesIsNoCommit(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	b := newBatch(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	given := b.add(ctx, insert("a"))
	cancel()
	<-given
	b.start()
	storetest.AddUser(t, db, "b")
	if updates, commits := db.Stats(); updates != 2 || commits != 2 {
		t.Errorf("%d updates in %d commits, want 2 in 2", updates, commits)
	}
	wantNames(t, db, "b")
}

func TestAViewIsCanceledWhileItWaits(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	var all, busy sync.WaitGroup
	for range sqlite.MaxReaders {
		busy.Add(1)
		all.Go(func() {
			err := db.View(context.Background(), func(vault.Reader) error {
				busy.Done()
				<-release
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	busy.Wait()
	waiting := make(chan error)
	go func() {
		waiting <- db.View(ctx, func(vault.Reader) error { t.Error("it ran"); return nil })
	}()
	cancel()
	if err := <-waiting; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	close(release)
	all.Wait()
}

func TestUpdatesThatWaitAtTheEndAreStillMade(t *testing.T) {
	t.Parallel()
	path := closedDatabase(t)
	db := open(t, path)
	b := newBatch(t, db)
	for i := range 20 {
		b.add(t.Context(), insert(fmt.Sprintf("user-%d", i)))
	}
	closed := make(chan error)
	go func() { closed <- db.Close() }()
	for _, err := range b.run() {
		if err != nil {
			t.Error(err)
		}
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
	if n := len(usernames(t, open(t, path))); n != 21 {
		t.Errorf("%d users, want 21", n)
	}
}

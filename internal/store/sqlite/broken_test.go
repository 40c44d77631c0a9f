package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// onWriter executes a statement on the writer's connection, by the writer: after it has answered an
// update it may be busy with the log.
func onWriter(t *testing.T, db *sqlite.DB, q string) {
	t.Helper()
	err := db.Update(t.Context(), func(vault.Tx) error { return db.OnWriter(t.Context(), q) })
	if err != nil {
		t.Fatal(err)
	}
}

// fill lets the database not grow by another page, as on a full disk.
func fill(t *testing.T, db *sqlite.DB) { t.Helper(); onWriter(t, db, "PRAGMA max_page_count = 1") }

// free takes that back.
func free(t *testing.T, db *sqlite.DB) {
	t.Helper()
	onWriter(t, db, "PRAGMA max_page_count = 4294967294")
}

// insertBig stores a secret that needs new pages.
func insertBig(user uuid.UUID) func(vault.Tx) error {
	return func(tx vault.Tx) error {
		at := storetest.NewUser("").CreatedAt
		return tx.InsertSecret(context.Background(), vault.StoredSecret{
			ID:          uuid.New(),
			User:        user,
			Name:        uuid.NewString(),
			Version:     1,
			CreatedAt:   at,
			UpdatedAt:   at,
			SealedValue: make([]byte, 1<<20),
			SealedMask:  []byte{1},
		})
	}
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if vault.KindOf(err) != vault.Unavailable {
		t.Errorf("%s: got kind %d (%v), want unavailable", what, vault.KindOf(err), err)
	}
}

func secrets(t *testing.T, db *sqlite.DB, user uuid.UUID) (n int) {
	t.Helper()
	err := db.View(t.Context(), func(r vault.Reader) error {
		found, err := r.Secrets(t.Context(), user)
		n = len(found)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestAFullDiskMakesUpdatesUnavailableUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	ann := storetest.AddUser(t, db, "ann")
	for made := range 3 {
		fill(t, db)
		before, beforeCommits := db.Stats()
		for range 5 {
			wantUnavailable(t, "update", db.Update(t.Context(), insertBig(ann.Owner)))
		}
		wantNames(t, db, "ann") // reads go on
		if n := secrets(t, db, ann.Owner); n != made {
			t.Errorf("%d secrets, want %d", n, made)
		}
		if updates, commits := db.Stats(); updates != before || commits != beforeCommits {
			t.Errorf("%d updates in %d commits were counted that failed",
				updates-before, commits-beforeCommits)
		}
		free(t, db)
		if err := db.Update(t.Context(), insertBig(ann.Owner)); err != nil {
			t.Errorf("after there was room again: %v", err)
		}
	}
}

func TestAFullDiskFailsTheWholeBatchAndLeavesNothingOfIt(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	ann := storetest.AddUser(t, db, "ann")
	fill(t, db)
	b := newBatch(t, db)
	for i := range 10 {
		b.add(t.Context(), insert(fmt.Sprintf("before-%d", i)))
	}
	b.add(t.Context(), insertBig(ann.Owner))
	for i := range 10 {
		b.add(t.Context(), insert(fmt.Sprintf("after-%d", i)))
	}
	for i, err := range b.run() {
		wantUnavailable(t, fmt.Sprintf("update %d", i), err)
	}
	wantNames(t, db, "ann")
	free(t, db)
	storetest.AddUser(t, db, "bob")
	wantNames(t, db, "ann", "bob")
}

// SQLite ends the whole transaction when the disk is full. What an update does after that would be
// a transaction of its own, and stay.
func TestNothingStaysOfWhatAnUpdateDoesAfterTheDatabaseGaveUp(t *testing.T) {
	t.Parallel()
	for what, end := range map[string]func(error) error{
		"and returns the error":  func(err error) error { return err },
		"and ignores the error":  func(error) error { return nil },
		"and returns another":    func(error) error { return vault.ErrNotFound },
		"and panics":             func(err error) error { panic(err) },
		"and returns it wrapped": func(err error) error { return errors.Join(err, errOwn) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			db := openNew(t)
			ann := storetest.AddUser(t, db, "ann")
			fill(t, db)
			b := newBatch(t, db)
			before := b.add(t.Context(), insert("before"))
			guilty := b.add(t.Context(), func(tx vault.Tx) error {
				err := insertBig(ann.Owner)(tx)
				wantUnavailable(t, "the next statement", insert("next")(tx))
				ctx := context.Background()
				wantUnavailable(t, "a deletion", tx.DeleteUser(ctx, ann.Owner, ann.CreatedAt))
				_, look := tx.User(ctx, ann.Owner)
				wantUnavailable(t, "a look", look)
				return end(err)
			})
			after := b.add(t.Context(), insert("after"))
			b.start()
			wantUnavailable(t, "the update before", <-before)
			wantUnavailable(t, "the update after", <-after)
			if <-guilty == nil {
				t.Error("the update that found the disk full was answered as a success")
			}
			wantNames(t, db, "ann")
			free(t, db)
			storetest.AddUser(t, db, "bob")
		})
	}
}

func TestACommitThatFailsFailsEveryUpdateInIt(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	storetest.AddUser(t, db, "ann")
	before, commits := db.Stats()
	b := newBatch(t, db)
	b.add(t.Context(), insert("bob"))
	b.add(t.Context(), func(tx vault.Tx) error {
		ctx := context.Background()
		// only the commit refuses a key without a user
		k := vault.APIKey{ID: uuid.New(), User: uuid.New(), CreatedAt: time.UnixMicro(1)}
		return errors.Join(
			db.OnWriter(ctx, "PRAGMA defer_foreign_keys = ON"), tx.InsertAPIKey(ctx, k),
		)
	})
	b.add(t.Context(), insert("cem"))
	for i, err := range b.run() {
		if err == nil {
			t.Errorf("update %d was answered as a success", i)
		}
	}
	if updates, after := db.Stats(); updates != before+1 || after != commits+1 {
		t.Errorf("%d updates in %d commits were counted, want the one that kept the writer busy",
			updates-before, after-commits)
	}
	wantNames(t, db, "ann")
	storetest.AddUser(t, db, "dan")
	wantNames(t, db, "ann", "dan")
}

func TestADatabaseThatMayNotBeWrittenIsUnavailableToUpdatesOnly(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	storetest.AddUser(t, db, "ann")
	onWriter(t, db, "PRAGMA query_only = ON")
	for range 3 {
		wantUnavailable(t, "update", db.Update(t.Context(), insert("bob")))
		wantNames(t, db, "ann")
	}
	if err := db.OnIdleWriter("PRAGMA query_only = OFF"); err != nil {
		t.Fatal(err)
	}
	storetest.AddUser(t, db, "bob")
	wantNames(t, db, "ann", "bob")
}

func TestAReadOnlyFileCanBeReadAndNotWritten(t *testing.T) {
	t.Parallel()
	path := closedDatabase(t)
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		t.Skip("this user may write any file; test/crash has the same with a user who may not")
	}
	db := open(t, path)
	wantNames(t, db, "ann")
	wantUnavailable(t, "update", db.Update(t.Context(), insert("bob")))
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	closeDB(t, db)
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, path)
	storetest.AddUser(t, again, "bob")
	wantNames(t, again, "ann", "bob")
}

func TestALogThatWasLeftReadOnlyGetsTheModeOfItsDatabase(t *testing.T) {
	t.Parallel()
	path := closedDatabase(t)
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := os.WriteFile(path+suffix, nil, 0o400); err != nil {
			t.Fatal(err)
		}
	}
	storetest.AddUser(t, open(t, path), "bob")
	for name, mode := range modes(t, filepath.Dir(path)) {
		if mode != 0o600 {
			t.Errorf("%s has the mode %v", name, mode)
		}
	}
}

func TestADatabaseThatAnotherProcessKeepsLockedIsUnavailable(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	db := open(t, path)
	storetest.AddUser(t, db, "ann")
	// not as long as a caller waits
	onWriter(t, db, "PRAGMA busy_timeout = 1")
	other := raw(t, path)
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	execute := func(q string) {
		if _, err := conn.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	execute("BEGIN IMMEDIATE")
	wantUnavailable(t, "update", db.Update(t.Context(), insert("bob")))
	wantNames(t, db, "ann")
	execute("ROLLBACK")
	storetest.AddUser(t, db, "bob")
	wantNames(t, db, "ann", "bob")
}

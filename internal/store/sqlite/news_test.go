package sqlite_test

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// looked returns the moment of a store that has just looked for commits of others.
func looked(t *testing.T, db *sqlite.DB) uint64 {
	t.Helper()
	if err := db.Update(t.Context(), func(vault.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return db.Moment()
}

// isUnchanged reports whether a store says so of a user, who nobody changes meanwhile: it asks
// again where the store does not know.
func isUnchanged(t *testing.T, db *sqlite.DB, user uuid.UUID, since uint64) bool {
	t.Helper()
	for range 100 {
		if db.Unchanged(user, since) {
			return true
		}
		looked(t, db)
	}
	return false
}

// TestACommitTellsWhoseLedgerItChanged has users of different stripes.
func TestACommitTellsWhoseLedgerItChanged(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "keysake.db"))
	ann, bea := storetest.NewUser("ann"), storetest.NewUser("bea")
	ann.Owner[15], bea.Owner[15] = 1, 2
	since := looked(t, db)
	if !isUnchanged(t, db, ann.Owner, since) {
		t.Error("a user is told to be changed whom nobody changed")
	}
	err := db.Update(t.Context(), func(tx vault.Tx) error {
		if err := tx.InsertUser(t.Context(), ann); err != nil {
			return err
		}
		l := vault.StoredLedger{Owner: ann.Owner, Number: 1, Signed: []byte{1}}
		return tx.SaveLedger(t.Context(), l, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	if isUnchanged(t, db, ann.Owner, since) {
		t.Error("the user who was changed is told to be unchanged")
	}
	if !isUnchanged(t, db, bea.Owner, since) {
		t.Error("another user is told to be changed")
	}
	if !isUnchanged(t, db, ann.Owner, looked(t, db)) {
		t.Error("the user stays changed for ever")
	}
}

func TestACommitOfAnotherProcessIsNoticed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	one, other := open(t, path), open(t, path)
	since := looked(t, one)
	storetest.AddUser(t, other, "ann")
	time.Sleep(vault.NoticedWithin)
	if one.Unchanged(uuid.New(), since) {
		t.Error("it is told that nothing has changed")
	}
	if isUnchanged(t, one, uuid.New(), since) {
		t.Error("it was not noticed")
	}
}

func TestWhoSharesADatabaseEndsWhenWhatItDidIsNoticed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	one := open(t, path)
	storetest.AddUser(t, one, "ann")
	other, err := sqlite.OpenShared(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	since := looked(t, one)
	err = other.Update(t.Context(), func(tx vault.Tx) error {
		l := vault.StoredLedger{Owner: uuid.New(), Number: 1, Signed: []byte{1}}
		return tx.SaveInstance(t.Context(), l, 0)
	})
	if err = errors.Join(err, other.Close()); err != nil {
		t.Fatal(err)
	}
	if one.Unchanged(uuid.New(), since) {
		t.Error("the one that serves has not noticed it")
	}
}

// A writer that is stopped, or busy for long, lets nobody believe that nothing has changed.
func TestWhoHasNotLookedForLongDoesNotKnow(t *testing.T) {
	t.Parallel()
	db := open(t, filepath.Join(t.TempDir(), "keysake.db"))
	since := looked(t, db)
	err := db.Update(t.Context(), func(vault.Tx) error {
		time.Sleep(vault.NoticedWithin)
		if db.Unchanged(uuid.New(), since) {
			t.Error("it is told that nothing has changed")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

package postgres_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/postgres"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/internal/vault"
)

// eventually asks until it is so, and says how long that took.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	began := time.Now()
	for !is() {
		if time.Since(began) > time.Minute {
			t.Fatalf("not in a minute: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
	t.Logf("%s after %v", what, time.Since(began).Round(time.Millisecond))
}

// knows waits until a server knows that nobody's access has changed.
func knows(t *testing.T, db *postgres.DB) (moment uint64) {
	t.Helper()
	eventually(t, "it listens", func() bool {
		moment = db.Moment()
		return db.SameAccess(uuid.New(), moment)
	})
	return moment
}

// take tells that the access of somebody has changed.
func take(t *testing.T, db *postgres.DB, user uuid.UUID) {
	t.Helper()
	err := db.Update(t.Context(), func(tx vault.Tx) error {
		return tx.TellAccess(t.Context(), user)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnotherServerLearnsWhoseAccessWasTaken(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	one, other := open(t, url), open(t, url)
	ann, bea := uuid.UUID{15: 1}, uuid.UUID{15: 2}
	since := knows(t, other)
	take(t, one, ann)
	time.Sleep(vault.NoticedWithin)
	if other.SameAccess(ann, since) {
		t.Error("in time, it is told that nothing has changed")
	}
	eventually(t, "it knows of the others", func() bool { return other.SameAccess(bea, since) })
	if other.SameAccess(ann, since) {
		t.Error("it is told that nothing has changed")
	}
	since = knows(t, other)
	take(t, one, uuid.Nil)
	time.Sleep(vault.NoticedWithin)
	if other.SameAccess(bea, since) {
		t.Error("after news that concern everyone, it is told that nothing has changed")
	}
}

func TestWhoMayHaveMissedNewsKnowsNothing(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	one, other := open(t, url), open(t, url)
	ann := uuid.New()
	for range 3 {
		since := knows(t, other)
		const hangUp = `SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
			WHERE datname = current_database() AND query LIKE '%pg_backend_pid%'
				AND pid <> pg_backend_pid()`
		if len(raw(t, url, hangUp)) == 0 {
			t.Fatal("nobody listens")
		}
		take(t, one, ann)
		time.Sleep(vault.NoticedWithin)
		for range 100 {
			if other.SameAccess(ann, since) || other.SameAccess(uuid.New(), since) {
				t.Fatal("it is told that nothing has changed")
			}
			time.Sleep(time.Millisecond)
		}
	}
	knows(t, other)
}

// A pooler may give the connection that listens to somebody else.
func TestBehindAPoolerTheDatabaseIsAskedEachTime(t *testing.T) {
	t.Parallel()
	db, err := postgres.Open(t.Context(),
		postgres.Options{URL: pgtest.Migrated.Copy(t), Pooler: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 100 {
		if db.SameAccess(uuid.New(), db.Moment()) {
			t.Fatal("it is told that nothing has changed")
		}
		time.Sleep(time.Millisecond)
	}
}

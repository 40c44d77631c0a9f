package faults_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/internal/store/storetest"
)

func TestTheStoreKeepsItsPromisesThroughPgBouncer(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	// Databases are used again, after their connections were ended: the pooler looks before it
	// lends one.
	startPooler(t, pgtest.Of(t), address, "server_check_query = select 1", "server_check_delay = 0")
	storetest.Exercise(t, func(t *testing.T) storetest.Store {
		t.Helper()
		db, err := postgres.Open(t.Context(), postgres.Options{
			URL: pooled(t, address, pgtest.Migrated.Copy(t)), Pooler: true,
		})
		apptest.Must(t, err)
		t.Cleanup(func() { apptest.Must(t, db.Close()) })
		return db
	})
}

// A pooler that is not said to be one gives what others tell to whoever has the connection next: a
// server notices it, and asks the database each time.
func TestAPoolerThatNobodyNamedIsNoticed(t *testing.T) {
	t.Parallel()
	address := freeAddress(t)
	startPooler(t, pgtest.Of(t), address, "ignore_startup_parameters = "+
		"statement_timeout,lock_timeout,idle_in_transaction_session_timeout")
	direct := pgtest.Migrated.Copy(t)
	db, err := postgres.Open(t.Context(), postgres.Options{
		URL: with(t, pooled(t, address, direct), "default_query_exec_mode", "cache_describe"),
	})
	apptest.Must(t, err)
	t.Cleanup(func() { apptest.Must(t, db.Close()) })
	listening, err := postgres.Open(t.Context(), postgres.Options{URL: direct})
	apptest.Must(t, err)
	t.Cleanup(func() { apptest.Must(t, listening.Close()) })
	knows := func(db *postgres.DB) bool { return db.SameAccess(uuid.New(), db.Moment()) }
	for asked := 0; asked < 100 || !knows(listening); asked++ {
		if knows(db) {
			t.Fatal("it believes a connection that may be anybody's")
		}
		time.Sleep(time.Millisecond)
	}
}

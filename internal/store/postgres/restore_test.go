package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/store/postgres"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// load fills the database at url with a copy of what is in from.
func load(t *testing.T, from *postgres.DB, url string) *postgres.Restoring {
	t.Helper()
	r, err := postgres.OpenForRestore(t.Context(), postgres.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	err = from.Snapshot(t.Context(), func(src backup.Source) error {
		return r.Load(t.Context(), src)
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNobodyOpensADatabaseWhoseRestoreIsNotComplete(t *testing.T) {
	t.Parallel()
	from, url := open(t, pgtest.Migrated.Copy(t)), pgtest.Empty(t)
	ann := storetest.AddUser(t, from, "ann")

	first := load(t, from, url)
	refused(t, url, "run keysake restore again", postgres.Open, postgres.OpenShared)
	if _, err := postgres.OpenForRestore(t.Context(), postgres.Options{URL: url}); err == nil ||
		!strings.Contains(err.Error(), "another restore into it is running") {
		t.Errorf("a second restore: %v", err)
	}
	if err := first.Close(); err != nil { // as if it were killed
		t.Fatal(err)
	}
	refused(t, url, "run keysake restore again", postgres.Open, postgres.OpenShared)

	second := load(t, from, url)
	if err := errors.Join(second.Finish(t.Context()), second.Close()); err != nil {
		t.Fatal(err)
	}
	open(t, url)
	if !hasUser(t, url, ann) {
		t.Error("the user is not there")
	}
}

func TestARestoreThatFailsLeavesTheDatabaseEmptyAndOneThatIsNotEmptyAsItIs(t *testing.T) {
	t.Parallel()
	from, url := open(t, pgtest.Migrated.Copy(t)), pgtest.Empty(t)
	ann := storetest.AddUser(t, from, "ann")
	failed := load(t, from, url)
	if err := errors.Join(failed.Abandon(t.Context()), failed.Close()); err != nil {
		t.Fatal(err)
	}
	db := open(t, url)
	if hasUser(t, url, ann) {
		t.Error("the user is there")
	}
	bob := storetest.AddUser(t, db, "bob")
	_, err := postgres.OpenForRestore(t.Context(), postgres.Options{URL: url})
	if vault.KindOf(err) != vault.Conflict || !hasUser(t, url, bob) {
		t.Errorf("a restore into a database with a user: %v", err)
	}
	open(t, url)
}

func TestOneRotationRunsAtATime(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	first, second := open(t, url), open(t, url)
	unlock, locked, err := first.TryLockRotation(t.Context())
	if err != nil || !locked {
		t.Fatal(locked, err)
	}
	if _, locked, err := second.TryLockRotation(t.Context()); err != nil || locked {
		t.Errorf("the other one: %v, %v", locked, err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
	unlock, locked, err = second.TryLockRotation(t.Context())
	if err != nil || !locked {
		t.Fatal(locked, err)
	}
	raw(t, url, `SELECT pg_terminate_backend(pid)::text FROM pg_locks WHERE locktype = 'advisory'
		AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`)
	if err := unlock(); err == nil || !strings.Contains(err.Error(), "the lock was lost") {
		t.Errorf("a lock that was lost: %v", err)
	}
}

func TestARoleThatMayChangeNoTableServesWhatAnotherRoleMigrated(t *testing.T) {
	t.Parallel()
	ctx, url := t.Context(), pgtest.Empty(t)
	role := "server_of_" + raw(t, url, "SELECT current_database()::text")[0]
	raw(t, url, "CREATE ROLE "+role+" LOGIN")
	t.Cleanup(func() {
		c, err := pgx.Connect(context.Background(), url)
		if err == nil {
			_, err = c.Exec(context.Background(), "DROP OWNED BY "+role+"; DROP ROLE "+role,
				pgx.QueryExecModeSimpleProtocol)
			_ = c.Close(context.Background())
		}
		if err != nil {
			t.Error(err)
		}
	})
	limited := with(t, url, "user", role)
	_, err := postgres.Open(ctx, postgres.Options{URL: limited})
	if err == nil || !strings.Contains(err.Error(), "run keysake migrate") {
		t.Errorf("before the migration: %v", err)
	}
	for _, want := range [][2]int64{{0, 1}, {1, 1}} {
		before, after, err := postgres.Migrate(ctx, postgres.Options{URL: url}, role)
		if err != nil || before != want[0] || after < want[1] {
			t.Errorf("from %d to %d: %v", before, after, err)
		}
	}
	db := open(t, limited)
	ann := storetest.AddUser(t, db, "ann")
	if err := db.View(ctx, func(r vault.Reader) error {
		_, err := r.User(ctx, ann.Owner)
		return err
	}); err != nil {
		t.Error(err)
	}
	if fault := db.WriteFault(ctx); fault != "" {
		t.Error(fault)
	}
	c, err := pgx.Connect(ctx, limited)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	for _, sql := range []string{
		"DROP TABLE secrets", "ALTER TABLE users ADD x int", "CREATE TABLE x (x int)",
		"TRUNCATE secrets", "DELETE FROM goose_db_version",
	} {
		if _, err := c.Exec(ctx, sql); err == nil {
			t.Errorf("%s was done", sql)
		}
	}
}

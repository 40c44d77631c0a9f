package postgres_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/postgres"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// raw runs a statement with nothing of ours in between, and returns the first column of its rows.
func raw(t *testing.T, url, sql string, args ...any) (texts []string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	rows, err := c.Query(t.Context(), sql, args...)
	if err == nil {
		texts, err = pgx.CollectRows(rows, pgx.RowTo[string])
	}
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return texts
}

func TestServersThatStartAtOnceMigrateOnce(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			db, err := postgres.Open(context.Background(), postgres.Options{URL: url})
			if err != nil {
				t.Error(err)
				return
			}
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	known, err := store.Migrations()
	if err != nil {
		t.Fatal(err)
	}
	ran := raw(t, url, "SELECT version_id::text FROM goose_db_version ORDER BY id")
	if len(ran) != len(known) {
		t.Errorf("the migrations %q ran", ran)
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	raw(t, url, "INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)")
	t.Cleanup(func() {
		url := strings.Clone(url)
		c, err := pgx.Connect(context.Background(), url)
		if err == nil {
			_, err = c.Exec(context.Background(),
				"DELETE FROM goose_db_version WHERE version_id = 9999")
		}
		if err != nil {
			t.Error(err)
		}
		_ = c.Close(context.Background())
	})
	refused(t, url, "use a newer keysake", postgres.Open, postgres.OpenShared)
}

func TestANewDatabaseIsMigratedByAServerOnly(t *testing.T) {
	t.Parallel()
	refused(t, pgtest.Empty(t), "start the server of this version first", postgres.OpenShared)
}

func TestADatabaseThatDoesNotWaitForItsDiskIsRefused(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	raw(t, url, `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET synchronous_commit = off',
		current_database()); END $$`)
	refused(t, url, "synchronous_commit is off", postgres.Open, postgres.OpenShared)
}

func TestWhatIsNoURLIsNotRepeated(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"postgres://a:secret@host:port/x", "secret", "postgres://%zz"} {
		_, err := postgres.Open(t.Context(), postgres.Options{URL: url})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", url, err)
		}
	}
}

// refused checks that no opener opens a database, and that the error says why.
func refused(
	t *testing.T, url, why string,
	openers ...func(context.Context, postgres.Options) (*postgres.DB, error),
) {
	t.Helper()
	for _, open := range openers {
		db, err := open(t.Context(), postgres.Options{URL: url})
		if err == nil {
			_ = db.Close()
			t.Fatal("it was opened")
		}
		if !strings.Contains(err.Error(), why) {
			t.Errorf("the error %q does not say %q", err, why)
		}
	}
}

func TestTheSchemaIsSQLitesInOtherWords(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	const columns = `SELECT concat_ws(' ', data_type, collation_name) || ' ' || count(*)
		FROM information_schema.columns
		WHERE table_schema = 'public' AND table_name <> 'goose_db_version'
		GROUP BY data_type, collation_name`
	kinds := map[string]bool{}
	for _, found := range raw(t, url, columns) {
		kinds[found[:strings.LastIndexByte(found, ' ')]] = true
	}
	want := []string{"bigint", "bytea", "text C"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(kinds))); diff != "" {
		t.Errorf("types of columns (-want +got):\n%s", diff)
	}
	const keys = `SELECT conrelid::regclass || ' ' || confrelid::regclass FROM pg_constraint
		WHERE contype = 'f' ORDER BY 1`
	want = []string{
		"api_keys users", "done_requests users", "instance_keys root_keys", "leases users",
		"owner_keys root_keys", "owner_keys users", "secret_versions secrets",
		"secret_versions users", "secrets users",
	}
	if diff := cmp.Diff(want, raw(t, url, keys)); diff != "" {
		t.Errorf("foreign keys (-want +got):\n%s", diff)
	}
}

func TestASchemaThatAnotherProgramChangedIsRefused(t *testing.T) {
	t.Parallel()
	const undo = `CREATE FUNCTION undo() RETURNS trigger LANGUAGE plpgsql
		AS 'BEGIN RETURN OLD; END'`
	for what, change := range map[string][]string{
		"trigger undo": {undo, `CREATE TRIGGER undo BEFORE UPDATE ON api_keys FOR EACH ROW
			EXECUTE FUNCTION undo()`},
		"rule keep":        {"CREATE RULE keep AS ON DELETE TO secrets DO INSTEAD NOTHING"},
		"policy rows_of":   {"CREATE POLICY rows_of ON secrets USING (false)"},
		"security of rows": {"ALTER TABLE users ENABLE ROW LEVEL SECURITY"},
		"default of":       {"ALTER TABLE users ALTER full_name SET DEFAULT 'x'"},
		"inherits":         {"CREATE TABLE more () INHERITS (secrets)"},
		"references":       {"ALTER TABLE secrets DISABLE TRIGGER ALL"},
		"is no table": {
			"ALTER TABLE secret_uses RENAME TO hidden",
			"CREATE VIEW secret_uses AS SELECT * FROM hidden",
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Empty(t)
			db, err := postgres.Open(t.Context(), postgres.Options{URL: url})
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			for _, statement := range change {
				raw(t, url, statement)
			}
			refused(t, url, what, postgres.Open, postgres.OpenShared)
		})
	}
}

func TestItWorksThroughAPoolerThatKeepsNoSession(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url, Pooler: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ann := storetest.AddUser(t, db, "ann")
	for range 2 {
		err := db.View(t.Context(), func(r vault.Reader) error {
			_, err := r.UserNamed(t.Context(), ann.Username)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

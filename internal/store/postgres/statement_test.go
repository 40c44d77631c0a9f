package postgres_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/store/postgres"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// readAll are the methods that read a table as a whole, which no request does, and a table of a few
// rows.
var readAll = []string{
	"InstanceKeys", "InstanceLedger", "LockInstance", "OwnerKeyCounts", "RootKeys", "Users",
}

func TestEveryStatementOfARequestUsesAnIndex(t *testing.T) {
	t.Parallel()
	c, err := pgx.Connect(t.Context(), pgtest.Migrated.Copy(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	const settings = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan"
	if _, err := c.Exec(t.Context(), settings); err != nil {
		t.Fatal(err)
	}
	placeholder, checked := regexp.MustCompile(`\$\d+`), 0
	for n, s := range storetest.Statements() {
		name := fmt.Sprint("s", n)
		if strings.HasPrefix(s.SQL, "INSERT") || slices.Contains(readAll, s.Method) {
			continue
		}
		if _, err := c.Exec(t.Context(), "PREPARE "+name+" AS "+s.SQL); err != nil {
			t.Errorf("%s: %v: %s", s.Method, err, s.SQL)
			continue
		}
		marks := placeholder.FindAllString(s.SQL, -1)
		slices.Sort(marks)
		execute := "EXPLAIN EXECUTE " + name
		if n := len(slices.Compact(marks)); n > 0 {
			execute += "(" + strings.Repeat("NULL, ", n-1) + "NULL)"
		}
		rows, err := c.Query(t.Context(), execute)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		checked++
		if text := strings.Join(plan, "\n"); strings.Contains(text, "Seq Scan") {
			t.Errorf("%s reads a whole table: %s\n%s", s.Method, s.SQL, text)
		}
	}
	if checked < 40 {
		t.Errorf("only %d statements: this shows nothing", checked)
	}
}

// appendEntry makes a change as use cases do: it locks the ledger, appends to the chain, and saves
// the ledger.
func appendEntry(ctx context.Context, db *postgres.DB, user vault.StoredUser) error {
	return db.Update(ctx, func(tx vault.Tx) error {
		l, err := tx.LockLedger(ctx, user.Owner)
		if err != nil {
			return err
		}
		entry := audit.Entry{Owner: user.Owner, Seq: l.Number + 1, At: user.CreatedAt}
		if err := tx.AppendAudit(ctx, []audit.Linked{{Entry: entry}}); err != nil {
			return err
		}
		saved := vault.StoredLedger{Owner: user.Owner, Number: entry.Seq, Signed: []byte("x")}
		return tx.SaveLedger(ctx, saved, l.Number)
	})
}

func TestAReadIsOneTurnOnTheNetworkAndAnUpdateThree(t *testing.T) {
	t.Parallel()
	var turns atomic.Int32
	db, err := postgres.Open(t.Context(), postgres.Options{
		URL: newProxy(t, pgtest.Migrated.Copy(t), func([]byte) (pass, cut bool) {
			turns.Add(1)
			return true, false
		}),
		MaxConns: 1,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ann := storetest.AddUser(t, db, "ann")
	read := func() error {
		return db.Read(t.Context(), func(r vault.Reader) error {
			_, err := r.Ledger(t.Context(), ann.Owner)
			return err
		})
	}
	for range 2 { // the first time it prepares the statements
		turns.Store(0)
		if err := appendEntry(t.Context(), db, ann); err != nil {
			t.Fatal(err)
		}
	}
	if n := turns.Load(); n != 3 {
		t.Errorf("an update took %d turns", n)
	}
	for range 2 {
		turns.Store(0)
		if err := read(); err != nil {
			t.Fatal(err)
		}
	}
	if n := turns.Load(); n != 1 {
		t.Errorf("a read took %d turns", n)
	}
}

func TestAWriteThatFailsIsToldWhereItWasAsked(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	db := open(t, url)
	storetest.AddUser(t, db, "ann")
	told, bob := "", storetest.NewUser("bob")
	err := db.Update(t.Context(), func(tx vault.Tx) error {
		told = "nothing"
		if err := tx.InsertUser(t.Context(), storetest.NewUser("ann")); err != nil {
			told = "the conflict"
			return err
		}
		return tx.InsertUser(t.Context(), bob)
	})
	if vault.KindOf(err) != vault.Conflict || told != "the conflict" || hasUser(t, url, bob) {
		t.Errorf("the update was told %s: %v", told, err)
	}
	err = db.Update(t.Context(), func(tx vault.Tx) error {
		told = "nothing"
		missing := vault.StoredLedger{Owner: uuid.Must(uuid.NewV7()), Signed: []byte("x")}
		if err := tx.SaveLedger(t.Context(), missing, 1); err != nil {
			told = "what is missing"
			return err
		}
		_, err := tx.UserNamed(t.Context(), "nobody")
		return err
	})
	if vault.KindOf(err) != vault.NotFound || told != "what is missing" {
		t.Errorf("the update was told %s: %v", told, err)
	}
}

func TestATextThatPostgreSQLCannotKeepIsNotFoundAndNotStored(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Migrated.Copy(t))
	for _, name := range []string{"a\x00b", "\xff"} {
		err := db.Read(t.Context(), func(r vault.Reader) error {
			_, err := r.UserNamed(t.Context(), name)
			return err
		})
		if vault.KindOf(err) != vault.NotFound {
			t.Errorf("looking for %q: %v", name, err)
		}
		err = db.Update(t.Context(), func(tx vault.Tx) error {
			return tx.InsertUser(t.Context(), storetest.NewUser(name))
		})
		if vault.KindOf(err) != vault.Invalid {
			t.Errorf("storing %q: %v", name, err)
		}
	}
}

func TestUsersDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Migrated.Copy(t))
	ann, bob := storetest.AddUser(t, db, "ann"), storetest.AddUser(t, db, "bob")
	err := db.Update(t.Context(), func(tx vault.Tx) error {
		if _, err := tx.LockLedger(t.Context(), ann.Owner); err != nil {
			return err
		}
		return db.Update(t.Context(), func(other vault.Tx) error {
			_, err := other.LockLedger(t.Context(), bob.Owner)
			return err
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAServersRoleMayOnlyReadAndWriteRows(t *testing.T) {
	t.Parallel()
	url := pgtest.Empty(t)
	db, err := postgres.Open(t.Context(), postgres.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	role := "server" + strings.ReplaceAll(uuid.NewString(), "-", "")
	for _, statement := range []string{
		"CREATE ROLE " + role + " LOGIN",
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC",
		"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO " + role,
		"REVOKE INSERT, UPDATE, DELETE ON goose_db_version FROM " + role,
	} {
		raw(t, url, statement)
	}
	defer func() {
		raw(t, url, "DROP OWNED BY "+role)
		raw(t, url, "DROP ROLE "+role)
	}()
	restricted := strings.Replace(url, "keysake@", role+"@", 1)
	server, err := postgres.Open(t.Context(), postgres.Options{URL: restricted})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	ann := storetest.AddUser(t, server, "ann")
	if !hasUser(t, url, ann) {
		t.Error("it stored nothing")
	}
}

func TestTenServersWriteOneChain(t *testing.T) {
	t.Parallel()
	const servers, entries = 10, 5
	url := pgtest.Migrated.Copy(t)
	ann := storetest.AddUser(t, open(t, url), "ann")
	var all sync.WaitGroup
	for range servers {
		db := open(t, url)
		all.Go(func() {
			for range entries {
				if err := appendEntry(t.Context(), db, ann); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	const chain = "SELECT count(*) || ' ' || min(seq) || ' ' || max(seq) FROM audit_entries"
	if got := raw(t, url, chain); got[0] != "50 1 50" {
		t.Errorf("the chain has %q", got)
	}
}

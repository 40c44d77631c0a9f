package server_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite" // to change a database past Keysake

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// pastServer opens the database of a server as somebody does who can write the file.
func pastServer(t *testing.T, data string) *sql.DB {
	t.Helper()
	path := "file:" + filepath.Join(data, "keysake.db") + "?_pragma=busy_timeout(5000)"
	db, err := sql.Open("sqlite", path)
	apptest.Must(t, err)
	t.Cleanup(func() { apptest.Must(t, db.Close()) })
	return db
}

func exec(t *testing.T, db *sql.DB, query string, args ...any) {
	t.Helper()
	_, err := db.ExecContext(t.Context(), query, args...)
	apptest.Must(t, err)
	time.Sleep(vault.NoticedWithin) // until then what was verified before may count
}

// recorded returns what the instance's chain has about tampering.
func recorded(t *testing.T, db *sql.DB) (found []string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), `SELECT target_name FROM audit_entries
		WHERE action = 'tampering.found' AND owner_id NOT IN (SELECT id FROM users)`)
	apptest.Must(t, err)
	defer func() { apptest.Must(t, rows.Close()) }()
	for rows.Next() {
		var what string
		apptest.Must(t, rows.Scan(&what))
		found = append(found, what)
	}
	apptest.Must(t, rows.Err())
	return found
}

func newSecret(t *testing.T, c *client.Client, name, value string) wire.Secret {
	t.Helper()
	made, err := c.CreateSecret(t.Context(),
		wire.CreateSecret{Name: name, Value: plaintext.FromString(value)})
	apptest.Must(t, err)
	return made
}

func TestTamperingIsRefusedLoggedCountedAndRecordedOnce(t *testing.T) {
	t.Parallel()
	s, admin := startWithAdmin(t)
	c := s.Client(t)
	made := newSecret(t, c, "TAKEN", "correct-horse-battery-staple")
	db := pastServer(t, s.Data)
	exec(t, db, "UPDATE secrets SET name = 'OTHER'")
	for range 1000 {
		_, err := c.GetSecret(t.Context(), made.ID)
		fails(t, err, 500, "internal_error")
	}
	_, page := get(t, "GET", admin+"/metrics")
	if !strings.Contains(page, "\nkeysake_tampering_total 1000\n") {
		t.Error("the metric does not count the uses")
	}
	s.Stop(t)
	what := "secret " + made.ID
	found := recorded(t, db)
	if len(found) != 1 || !strings.HasPrefix(found[0], what) {
		t.Errorf("recorded: %q", found)
	}
	logs := s.Logs.String()
	if strings.Count(logs, "the database was tampered with") != 1 ||
		!strings.Contains(logs, `what="`+what) || strings.Contains(logs, "correct-horse") {
		t.Error("the log does not name the row once")
	}
}

func TestAServerWhoseOwnLedgerIsBrokenIsNotReady(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	exec(t, pastServer(t, s.Data), "UPDATE instance SET ledger = zeroblob(300)")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		status, text := get(t, "GET", s.URL+"/readyz")
		if status == 503 && text == "the ledger of the instance does not verify\n" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d, %q", status, text)
		}
	}
}

func TestABrokenLedgerStopsItsUserOnly(t *testing.T) {
	t.Parallel()
	s := apptest.Start(t)
	miasKey, maxsKey := s.NewUser(t, "mia"), s.NewUser(t, "max")
	mia, tom := s.ClientWith(t, miasKey), s.ClientWith(t, maxsKey)
	newSecret(t, mia, "KEPT", "correct-horse-battery-staple")
	newSecret(t, tom, "KEPT", "correct-horse-battery-staple")
	who, err := mia.WhoAmI(t.Context())
	apptest.Must(t, err)
	db := pastServer(t, s.Data)
	exec(t, db, "UPDATE users SET ledger = zeroblob(300) WHERE username = 'mia'")
	for range 2 { // also after a restart
		_, err := mia.ListSecrets(t.Context())
		fails(t, err, 500, "internal_error")
		if list, err := tom.ListSecrets(t.Context()); err != nil || list.Total != 1 {
			t.Errorf("another user: %v", err)
		}
		list, err := s.Client(t).ListUsers(t.Context())
		apptest.Must(t, err)
		if len(list.Users) != 2 || list.Total != 2 || len(list.Broken) != 1 ||
			list.Broken[0] != who.ID {
			t.Errorf("the admin's list: %+v", list)
		}
		s.Stop(t)
		if !strings.Contains(s.Logs.String(), `what="ledger of user `+who.ID) {
			t.Error("the log does not name the user")
		}
		s = s.Restart(t)
		mia, tom = s.ClientWith(t, miasKey), s.ClientWith(t, maxsKey)
	}
}

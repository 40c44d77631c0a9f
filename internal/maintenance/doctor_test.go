package maintenance_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // to change a database past Keysake

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/maintenance"
)

// resigned gives a changed backup the digest of its contents.
func resigned(backup string) string {
	body, _, _ := strings.Cut(backup, "{\"sha256\"")
	return fmt.Sprintf("%s{\"sha256\":\"%x\"}\n", body, sha256.Sum256([]byte(body)))
}

// edited returns a backup with another value, as JSON, in the last row of a table, and with the
// digest of its old contents.
func edited(tb testing.TB, file, table, column string, change func(string) string) string {
	tb.Helper()
	lines := strings.SplitAfter(file, "\n")
	var manifest backup.Manifest
	if err := json.Unmarshal([]byte(lines[1]), &manifest); err != nil {
		tb.Fatal(err)
	}
	isTable := func(t backup.Table) bool { return t.Name == table }
	columns := manifest.Tables[slices.IndexFunc(manifest.Tables, isTable)].Columns
	at := slices.IndexFunc(columns, func(c backup.Column) bool { return c.Name == column })
	for i, line := range slices.Backward(lines) {
		if !strings.HasPrefix(line, `["`+table+`",`) {
			continue
		}
		var row []json.RawMessage
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			tb.Fatal(err)
		}
		row[at+1] = json.RawMessage(change(string(row[at+1])))
		changed, err := json.Marshal(row)
		if err != nil {
			tb.Fatal(err)
		}
		lines[i] = string(changed) + "\n"
		return strings.Join(lines, "")
	}
	tb.Fatalf("there is no row of %s", table)
	return ""
}

// flipped changes one character of a text.
func flipped(n int) func(string) string {
	return func(text string) string {
		c := "A"
		if text[n] == 'A' {
			c = "B"
		}
		return text[:n] + c + text[n+1:]
	}
}

// set replaces a value.
func set(value string) func(string) string { return func(string) string { return value } }

// change runs SQL on a stopped or running server's database, past Keysake.
func change(tb testing.TB, cfg config.Config, statements ...string) {
	tb.Helper()
	db, err := sql.Open(
		"sqlite", "file:"+filepath.Join(cfg.Data, "keysake.db")+"?_pragma=busy_timeout(10000)",
	)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, s := range statements {
		result, err := db.ExecContext(tb.Context(), s)
		if err != nil {
			tb.Fatalf("%s: %v", s, err)
		}
		if n, err := result.RowsAffected(); err != nil || n != 1 {
			tb.Fatalf("%s: changed %d rows: %v", s, n, err)
		}
	}
}

// execute runs SQL that changes no row on a database, past Keysake.
func execute(statement string) func(*testing.T, config.Config) {
	return func(t *testing.T, cfg config.Config) {
		t.Helper()
		db, err := sql.Open("sqlite", "file:"+filepath.Join(cfg.Data, "keysake.db"))
		if err == nil {
			_, err = db.ExecContext(t.Context(), statement)
			err = errors.Join(err, db.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// flip is SQL that changes the last byte of a blob in the first row of a table.
func flip(table, column string) string {
	return fmt.Sprintf(`UPDATE %[1]s SET %[2]s = CAST(substr(%[2]s, 1, length(%[2]s) - 1) ||
		CASE substr(%[2]s, -1) WHEN x'00' THEN x'01' ELSE x'00' END AS BLOB)
		WHERE rowid = (SELECT MIN(rowid) FROM %[1]s)`, table, column)
}

func TestADoctorFindsWhatIsWrong(t *testing.T) {
	s := newSite(t)
	s.Stop(t)
	clean(t, s.cfg, s.backup)
	const someUser = "(SELECT id FROM users WHERE username = 'user-1')"
	for what, c := range map[string]struct {
		change func(t *testing.T, cfg config.Config)
		check  string
		status doctor.Status
		tells  string
	}{
		"a flipped bit in a value": {sqlChange(
			flip("secrets", "sealed_value"),
		), "values", doctor.Failed, "version 2 of secret"},
		"a flipped bit in a mask": {sqlChange(
			flip("secrets", "sealed_mask"),
		), "values", doctor.Failed, "version 2 of secret"},
		"a flipped bit in an old value": {sqlChange(
			flip("secret_versions", "sealed_value"),
		), "values", doctor.Failed, "version 1 of secret"},
		"a renamed secret": {sqlChange(
			"UPDATE secrets SET name = 'OTHER' WHERE rowid = 1",
		), "values", doctor.Failed, "version 2 of secret"},
		"an old version of another time": {sqlChange(
			"UPDATE secret_versions SET created_at = created_at - 1 WHERE rowid = 1",
		), "values", doctor.Failed, "version 1 of secret"},
		"a stamp that is too short": {sqlChange(
			"UPDATE secrets SET stamp = x'00' WHERE rowid = 1",
		), "rows", doctor.Failed, "stamp"},
		"a flipped bit in an owner key": {sqlChange(
			flip("owner_keys", "wrapped"),
		), "owner keys", doctor.Failed, "owner key"},
		"a flipped bit in a check value": {sqlChange(
			flip("root_keys", "check_value"),
		), "root keys", doctor.Failed, "does not open"},
		"a value without its key": {sqlChange(
			"DELETE FROM owner_keys WHERE user_id = " + someUser,
		), "values", doctor.Failed, "its owner key is missing"},
		"a deleted audit entry": {sqlChange(
			"DELETE FROM audit_entries WHERE seq = 3 AND owner_id = " + someUser,
		), "audit log", doctor.Failed, "entry 3"},
		"a changed audit entry": {sqlChange(
			"UPDATE audit_entries SET target_name = 'X' WHERE seq = 4 AND owner_id = " + someUser,
		), "audit log", doctor.Failed, "entry 4"},
		"a missing end of an audit log": {sqlChange(
			"DELETE FROM audit_entries WHERE owner_id = " + someUser +
				" AND seq = (SELECT MAX(seq) FROM audit_entries WHERE owner_id = " + someUser + ")",
		), "audit log", doctor.Failed, "where its head says"},
		"a changed log of the instance": {sqlChange(
			"UPDATE audit_entries SET target_name = 'X' " +
				"WHERE seq = 2 AND owner_id = (SELECT id FROM instance)",
		), "audit log", doctor.Failed, "entry 2"},
		"an API key with more scopes": {sqlChange(
			"UPDATE api_keys SET scopes = 'admin' WHERE user_id = " + someUser,
		), "ledgers", doctor.Failed, "API key"},
		"a renamed user": {sqlChange(
			"UPDATE users SET username = 'X' WHERE username = 'user-1'",
		), "ledgers", doctor.Failed, "not what its ledger says"},
		"other bytes in a ledger": {sqlChange(
			"UPDATE users SET ledger = CAST(substr(ledger, 1, length(ledger) - 8) || " +
				"x'0000000000000000' AS BLOB) WHERE username = 'user-1'",
		), "ledgers", doctor.Failed, "ledger of user"},
		"a ledger of another": {sqlChange(
			"UPDATE users SET ledger = (SELECT ledger FROM users WHERE username = 'user-2') " +
				"WHERE username = 'user-1'",
		), "ledgers", doctor.Failed, "ledger of user"},
		"a number that is not the ledger's": {sqlChange(
			"UPDATE users SET number = number + 1 WHERE username = 'user-1'",
		), "ledgers", doctor.Failed, "its number"},
		"a number that is none": {sqlChange(
			"UPDATE users SET number = -1 WHERE username = 'user-1'",
		), "rows", doctor.Failed, "number"},
		"an id that is none": {sqlChange(
			"UPDATE owner_keys SET root_key_id = 'x' WHERE user_id = " + someUser,
		), "rows", doctor.Failed, "root_key_id"},
		"a damaged root key": {sqlChange(
			"UPDATE root_keys SET id = 'x'",
		), "root key rows", doctor.Failed, "id"},
		"a log of nobody": {sqlChange(
			"UPDATE audit_entries SET owner_id = 'f0000000-0000-4000-8000-000000000000' " +
				"WHERE seq = 10 AND owner_id = " + someUser,
		), "ledgers", doctor.Failed, "does not exist"},
		"a schema of tomorrow": {sqlChange(
			"UPDATE goose_db_version SET version_id = 99 WHERE version_id = 1",
		), "schema", doctor.Failed, "newer keysake"},
		"a trigger that undoes revocations": {execute(
			"CREATE TRIGGER keeper BEFORE UPDATE OF revoked_at ON api_keys " +
				"BEGIN SELECT RAISE(IGNORE); END",
		), "schema", doctor.Failed, `trigger "keeper" was added`},
		"a database that others read": {modeOf("keysake.db", 0o644), "file modes", doctor.Warning, "keysake.db has mode 0644"},
		"a folder that others read":   {modeOf(".", 0o755), "file modes", doctor.Warning, "has mode 0755"},
		"a database that is none":     {damagedFirstPage, "schema", doctor.Failed, "cannot be read"},
		"no database":                 {withoutDatabase, "database", doctor.Failed, "has no database"},
	} {
		t.Run(what, func(t *testing.T) {
			cfg := s.elsewhere(t)
			if err := os.Mkdir(cfg.Data, 0o700); err != nil {
				t.Fatal(err)
			}
			copyFile(
				t, filepath.Join(s.cfg.Data, "keysake.db"), filepath.Join(cfg.Data, "keysake.db"),
				0o600,
			)
			c.change(t, cfg)
			got := examine(t, cfg, maintenance.DoctorOptions{Sample: doctor.All})[c.check]
			if all := fmt.Sprint(got); got.Status != c.status || !strings.Contains(all, c.tells) ||
				got.Advice == "" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func sqlChange(statement string) func(*testing.T, config.Config) {
	return func(t *testing.T, cfg config.Config) { t.Helper(); change(t, cfg, statement) }
}

func modeOf(name string, mode os.FileMode) func(*testing.T, config.Config) {
	return func(t *testing.T, cfg config.Config) {
		t.Helper()
		if err := os.Chmod(filepath.Join(cfg.Data, name), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// overwrite puts garbage over a page of the database.
func overwrite(t *testing.T, cfg config.Config, page int64) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(cfg.Data, "keysake.db"), os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte(strings.Repeat("garbage ", 512)), page*4096)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func damagedFirstPage(t *testing.T, cfg config.Config) { t.Helper(); overwrite(t, cfg, 0) }

func withoutDatabase(t *testing.T, cfg config.Config) {
	t.Helper()
	remove(t, filepath.Join(cfg.Data, "keysake.db"))
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func TestADoctorEndsWhicheverPageIsDamaged(t *testing.T) {
	s := newSite(t)
	s.Stop(t)
	info, err := os.Stat(filepath.Join(s.cfg.Data, "keysake.db"))
	if err != nil {
		t.Fatal(err)
	}
	for page := range info.Size() / 4096 {
		cfg := s.elsewhere(t)
		if err := os.Mkdir(cfg.Data, 0o700); err != nil {
			t.Fatal(err)
		}
		copyFile(
			t, filepath.Join(s.cfg.Data, "keysake.db"), filepath.Join(cfg.Data, "keysake.db"),
			0o600,
		)
		overwrite(t, cfg, page)
		failed := 0
		for _, c := range examine(t, cfg, maintenance.DoctorOptions{Sample: doctor.All}) {
			if c.Status == doctor.Failed {
				failed++
			}
		}
		if failed == 0 {
			t.Errorf("damage in page %d was not found", page)
		}
	}
}

func TestADoctorLooksAtWhereTheRootKeyIs(t *testing.T) {
	s := newSite(t)
	s.Stop(t)
	if err := os.Chmod(s.key, 0o644); err != nil {
		t.Fatal(err)
	}
	checks := examine(t, s.cfg, maintenance.DoctorOptions{})
	for _, name := range []string{"key location", "root keys", "owner keys"} {
		if checks[name].Status != doctor.Failed {
			t.Errorf("a key that others may read: %+v", checks[name])
		}
	}
	if err := os.Chmod(s.key, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]doctor.Status{
		filepath.Join(s.cfg.Data, "root.key"): doctor.Failed,
		s.cfg.Data + ".root-key":              doctor.Warning,
	} {
		cfg := s.cfg
		cfg.RootKeys = []string{"file:" + name}
		copyFile(t, s.key, name, 0o600)
		if c := examine(t, cfg, maintenance.DoctorOptions{})["key location"]; c.Status != want {
			t.Errorf("%+v", c)
		}
		remove(t, name)
	}
	remove(t, s.key)
	checks = examine(t, s.cfg, maintenance.DoctorOptions{Backup: s.backup})
	for _, name := range []string{
		"root keys", "owner keys", "backup root keys", "backup owner keys",
	} {
		if checks[name].Status != doctor.Failed {
			t.Errorf("a missing key: %+v", checks[name])
		}
	}
	if checks["audit log"].Status != doctor.OK {
		t.Errorf("%+v", checks["audit log"])
	}
}

func TestADoctorLooksIntoABackup(t *testing.T) {
	s := newSite(t)
	read, err := os.ReadFile(s.backup)
	if err != nil {
		t.Fatal(err)
	}
	whole := string(read)
	for what, c := range map[string]struct{ backup, check string }{
		"a changed byte": {edited(t, whole, "secrets", "version", set("3")), "backup"},
		"a value that does not open": {
			resigned(edited(t, whole, "secrets", "sealed_value", flipped(60))), "backup values",
		},
		"an audit entry of another": {
			resigned(edited(t, whole, "audit_entries", "action", set(`"secret.delete"`))),
			"backup audit log",
		},
		"an API key of another name": {
			resigned(edited(t, whole, "api_keys", "name", set(`"x"`))), "backup ledgers",
		},
		"a damaged row": {
			resigned(edited(t, whole, "api_keys", "token_hash", set(`"AAAA"`))), "backup rows",
		},
		"a time after the year 9999": {
			resigned(edited(t, whole, "api_keys", "expires_at", set("9223372036854775807"))),
			"backup rows",
		},
		"a damaged root key": {
			resigned(edited(t, whole, "root_keys", "replaced_at", set(`"x"`))), "backup",
		},
	} {
		file := filepath.Join(t.TempDir(), "backup")
		if err := os.WriteFile(file, []byte(c.backup), 0o600); err != nil {
			t.Fatal(err)
		}
		o := maintenance.DoctorOptions{Sample: doctor.All, Backup: file}
		for name, got := range examine(t, s.cfg, o) {
			if name == "backup ledgers" && c.check == "backup rows" {
				continue // the ledger lists the row that is damaged
			}
			if want := name == c.check; (got.Status == doctor.Failed) != want {
				t.Errorf("%s: %+v", what, got)
			}
		}
	}
}

func TestADoctorOpensASampleOfTheSizeThatIsAskedFor(t *testing.T) {
	s := newSite(t)
	for sample, want := range map[int]string{
		0: "0 of 24", 7: "7 of 24", 24: "all 24", 1000: "all 24", doctor.All: "all 24",
	} {
		checks := examine(t, s.cfg, maintenance.DoctorOptions{Sample: sample})
		if c := checks["values"]; !strings.HasPrefix(c.Text, want) {
			t.Errorf("%d: %q", sample, c.Text)
		}
	}
	dev := apptest.Start(t)
	cfg := s.cfg
	cfg.Data = dev.Data
	c := examine(t, cfg, maintenance.DoctorOptions{})["key location"]
	if c.Status != doctor.Failed {
		t.Errorf("a development server: %+v", c)
	}
}

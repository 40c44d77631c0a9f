package sqlite_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

func TestSQLiteIsAStore(t *testing.T) {
	t.Parallel()
	storetest.Exercise(t, func(t *testing.T) storetest.Store {
		t.Helper()
		return openNew(t)
	})
}

// open opens the database at path until the test ends.
func open(t *testing.T, path string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDB(t, db) })
	return db
}

func closeDB(t *testing.T, db *sqlite.DB) {
	t.Helper()
	if err := db.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
}

func openNew(t *testing.T) *sqlite.DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "keysake.db"))
}

// usernames returns the names of all users.
func usernames(t *testing.T, db *sqlite.DB) (names []string) {
	t.Helper()
	err := db.View(t.Context(), func(r vault.Reader) error {
		users, err := r.Users(t.Context())
		for _, u := range users {
			names = append(names, u.Username)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func wantNames(t *testing.T, db *sqlite.DB, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, usernames(t, db)); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
}

func TestItsFilesAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	storetest.AddUser(t, open(t, filepath.Join(dir, "keysake.db")), "ann")
	want := map[string]fs.FileMode{
		"keysake.db":            0o600,
		"keysake.db-shm":        0o600,
		"keysake.db-wal":        0o600,
		"keysake.db.reserve":    0o600,
		"keysake.db.write-lock": 0o600,
	}
	if diff := cmp.Diff(want, modes(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func modes(t *testing.T, dir string) map[string]fs.FileMode {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]fs.FileMode{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		found[e.Name()] = info.Mode()
	}
	return found
}

// closedFiles are those of a database that is closed.
func closedFiles(name string) map[string]fs.FileMode {
	return map[string]fs.FileMode{
		name: 0o600, name + ".reserve": 0o600, name + ".write-lock": 0o600,
	}
}

func TestAClosedDatabaseIsOneFileWithItsReserveAndItsLock(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	db := open(t, filepath.Join(dir, "keysake.db"))
	storetest.AddUser(t, db, "ann")
	closeDB(t, db)
	if diff := cmp.Diff(closedFiles("keysake.db"), modes(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	wantNames(t, open(t, filepath.Join(dir, "keysake.db")), "ann")
}

func TestEveryConnectionHasTheSettings(t *testing.T) {
	t.Parallel()
	db := openNew(t)
	for name, values := range map[string]struct{ reader, writer string }{
		"journal_mode":       {"wal", "wal"},
		"synchronous":        {"2", "2"},
		"foreign_keys":       {"1", "1"},
		"busy_timeout":       {"3000", "3000"},
		"secure_delete":      {"1", "1"},
		"cache_size":         {"-1024", "-8192"},
		"wal_autocheckpoint": {"0", "0"},
		"trusted_schema":     {"0", "0"},
	} {
		want := append(slices.Repeat([]string{values.reader}, sqlite.MaxReaders), values.writer)
		found, err := db.Settings(t.Context(), name)
		if diff := cmp.Diff(want, found); diff != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s%v", name, diff, err)
		}
	}
}

func TestThePathMayHaveAnyCharacter(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"a b.db", "100%.db", "a%20b.db", "a?b.db", "a?mode=memory", "a#b.db", "a&b=c;d.db",
		"a+b.db", "ключ🔑.db", "'quoted\".db", "a:b.db", ":memory:", "-",
	} {
		dir := filepath.Join(t.TempDir(), name)
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		db := open(t, "/"+dir+"/./"+name) // not in its shortest form either
		storetest.AddUser(t, db, "ann")
		closeDB(t, db)
		if diff := cmp.Diff(closedFiles(name), modes(t, dir)); diff != "" {
			t.Errorf("files for %q (-want +got):\n%s", name, diff)
		}
		wantNames(t, open(t, filepath.Join(dir, name)), "ann")
	}
}

func TestARelativePathIsRelativeToTheWorkingFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, name := range []string{"keysake.db", "a:b.db", "./c d.db"} {
		storetest.AddUser(t, open(t, name), "ann")
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
}

func TestTwoProcessesMayHaveItOpen(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	var all sync.WaitGroup
	for i, db := range []*sqlite.DB{open(t, path), open(t, path)} {
		for caller := range 4 {
			all.Go(func() {
				for n := range 25 {
					u := storetest.NewUser(fmt.Sprintf("user-%d-%d-%d", i, caller, n))
					err := db.Update(context.Background(), func(tx vault.Tx) error {
						return tx.InsertUser(context.Background(), u)
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
	if n := len(usernames(t, open(t, path))); n != 200 {
		t.Errorf("%d users, want 200", n)
	}
}

// Deleted data must not stay in the file until other data is written over it.
func TestWhatIsDeletedIsOverwritten(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	db := open(t, path)
	marker := func(what string) string { return what + "-" + uuid.NewString() }
	u := storetest.NewUser(marker("name"))
	u.Email, u.FullName = marker("email"), marker("full-name")
	n := vault.StoredSecret{
		ID: uuid.Must(uuid.NewV7()), User: u.Owner, Name: marker("secret"), Version: 1,
		CreatedAt: u.CreatedAt, UpdatedAt: u.CreatedAt,
		SealedValue: bytes.Repeat([]byte(marker("value")), 500), SealedMask: []byte(marker("mask")),
	}
	next := n
	next.Version, next.SealedValue = 2, []byte(marker("next-value"))
	next.SealedMask = []byte(marker("next-mask"))
	ctx := t.Context()
	for _, do := range []func(vault.Tx) error{
		func(tx vault.Tx) error { return tx.InsertUser(ctx, u) },
		func(tx vault.Tx) error { return tx.InsertSecret(ctx, n) },
		func(tx vault.Tx) error { return tx.UpdateSecret(ctx, next) },
		func(tx vault.Tx) error { return tx.DeleteSecrets(ctx, u.Owner) },
		func(tx vault.Tx) error { return tx.DeleteUser(ctx, u.Owner, u.CreatedAt) },
	} {
		if err := db.Update(ctx, do); err != nil {
			t.Fatal(err)
		}
	}
	closeDB(t, db)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{
		u.Username, u.Email, u.FullName, n.Name, string(n.SealedValue[:32]), string(n.SealedMask),
		string(next.SealedValue), string(next.SealedMask),
	} {
		if bytes.Contains(content, []byte(what)) {
			t.Errorf("the file still has %q", what)
		}
	}
	if !bytes.Contains(content, []byte(u.Owner.String())) {
		t.Error("the file does not even have the user's id: the search finds nothing")
	}
}

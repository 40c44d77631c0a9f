package sqlite_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
)

func TestADatabaseThatIsOpenForReadingIsReadAndNotChanged(t *testing.T) {
	t.Parallel()
	path := closedDatabase(t)
	db, err := sqlite.OpenForReading(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closeDB(t, db) })
	if !db.ReadOnly() || open(t, closedDatabase(t)).ReadOnly() {
		t.Error("it does not say that it is read-only, or another one does")
	}
	wantNames(t, db, "ann")
	for range 2 {
		wantUnavailable(t, "update", db.Update(t.Context(), insert("bob")))
		wantUnavailable(t, "update", db.UpdateReserved(t.Context(), insert("bob")))
	}
	if updates, commits := db.Stats(); updates != 0 || commits != 0 {
		t.Errorf("%d updates in %d commits", updates, commits)
	}
	wantNames(t, db, "ann")
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
	closeDB(t, db)
	wantUnavailable(t, "ping", db.Ping(t.Context()))
	storetest.AddUser(t, open(t, path), "bob")
}

func TestReadingDoesNotMigrate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	if _, err := sqlite.OpenForReading(t.Context(), path); err == nil {
		t.Error("a missing database was opened")
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := sqlite.OpenForReading(t.Context(), path)
	if err == nil || !strings.Contains(err.Error(), "start this program once where it can") {
		t.Errorf("the error is %v", err)
	}
	want := map[string]fs.FileMode{"keysake.db": 0o600}
	if diff := cmp.Diff(want, modes(t, filepath.Dir(path))); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

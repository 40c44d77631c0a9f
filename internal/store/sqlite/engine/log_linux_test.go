package engine_test

import (
	"path/filepath"
	"testing"

	lib "modernc.org/sqlite/lib"

	"github.com/keysake/keysake/internal/apptest"
)

func TestALogThatDoesNotFitOnTheDiskIsAnError(t *testing.T) {
	t.Parallel()
	dir := apptest.SmallDisk(t, "8m")
	c := openGathered(t, filepath.Join(dir, "db"))
	must(t, c, "PRAGMA wal_checkpoint(TRUNCATE)")
	free := apptest.FillDisk(t, dir)
	for _, size := range []int{10, 1000} { // one fails when it ends, the other before
		wantCode(t, "a full disk", fill(c, size, "COMMIT"), lib.SQLITE_FULL)
		_, _ = run(c, "ROLLBACK") // SQLite may have done it
		wantRows(t, "on a full disk", c, 0)
	}
	must(t, c, "PRAGMA wal_checkpoint(TRUNCATE)") // there is nothing to write
	free()
	if err := fill(c, 1000, "COMMIT"); err != nil {
		t.Fatal(err)
	}
	wantRows(t, "with room", c, rows)
}

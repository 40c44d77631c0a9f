package api_test

import (
	"os"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// TestMain runs the suite on both databases.
func TestMain(m *testing.M) {
	os.Exit(pgtest.Main(m, func() { apptest.Database = pgtest.Migrated.Copy }))
}

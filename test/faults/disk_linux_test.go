package faults_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

func TestAFullDiskOfPostgreSQL(t *testing.T) {
	t.Parallel()
	pgtest.Of(t) // or skip
	inRounds(t, 1, func(t *testing.T, _ int) {
		t.Helper()
		dir := apptest.SmallDisk(t, "200m")
		apptest.Must(t, os.Chmod(filepath.Dir(dir), 0o755)) // PostgreSQL has another user
		db, err := pgtest.Start(dir, "max_wal_size=64MB", "min_wal_size=32MB")
		apptest.Must(t, err)
		t.Cleanup(func() { apptest.Must(t, db.Stop()) })
		url := db.URL("postgres")
		servers := startServers(t, 2, url)
		load := newLoad(t, servers)
		load.begin()
		load.reach(50)
		was := look(t, servers)
		load.measureGap()
		free := apptest.FillDisk(t, dir)
		refused := load.failures() + 3*loadUsers*loadWorkers
		eventually(t, "there is no room for changes", func() error {
			if load.failures() < refused {
				takeRoom(t, url)
				return errors.New(load.summary())
			}
			return nil
		})
		free()
		// Without room for its log it may end, also while it recovers.
		eventually(t, "PostgreSQL answers", func() error {
			if !db.Runs() {
				t.Log("PostgreSQL has ended")
				apptest.Must(t, db.Again(t.Context()))
			}
			c, err := pgx.Connect(t.Context(), url)
			if err != nil {
				return err
			}
			return c.Close(t.Context())
		})
		load.reach(50)
		load.end()
		was.checkServers(t, servers, url)
		load.check()
		checkDatabase(t, servers[0], url)
		t.Logf("%s; the longest time without a change: %v", load.summary(), load.longestGap())
	})
}

// takeRoom makes PostgreSQL begin another file of its log, if it can.
func takeRoom(t *testing.T, url string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		return
	}
	defer c.Close(t.Context())
	_, _ = c.Exec(t.Context(), "SELECT pg_switch_wal()") // it fails when there is no room
}

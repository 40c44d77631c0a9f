package faults_test

import (
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// startPostgres starts a server of PostgreSQL until the test ends.
func startPostgres(t *testing.T, settings ...string) *pgtest.Server {
	t.Helper()
	pgtest.Of(t) // or skip
	db, err := pgtest.Start(os.TempDir(), settings...)
	apptest.Must(t, err)
	t.Cleanup(func() { apptest.Must(t, db.Stop()) })
	return db
}

func TestEveryAnsweredChangeIsThereAfterPostgreSQLIsKilled(t *testing.T) {
	t.Parallel()
	db := startPostgres(t)
	url := db.URL("postgres")
	servers := startServers(t, 2, url)
	load := newLoad(t, servers)
	inRounds(t, 2, func(t *testing.T, round int) {
		t.Helper()
		load.t = t
		load.begin()
		load.reach(int64(20 + rand.IntN(300)))
		was := look(t, servers)
		// anywhere in the course of a commit
		time.Sleep(rand.N(20 * time.Millisecond))
		load.measureGap()
		if round%2 == 0 {
			apptest.Must(t, db.Kill())
			time.Sleep(rand.N(time.Second))
			apptest.Must(t, db.Again(t.Context()))
		} else {
			eventually(t, "there is a backend", func() error {
				_, err := db.KillBackend()
				return err
			})
		}
		load.reach(50)
		load.end()
		was.checkServers(t, servers, url)
		load.check()
		checkDatabase(t, servers[0], url)
		t.Logf("%s; the longest time without a change: %v", load.summary(), load.longestGap())
	})
}

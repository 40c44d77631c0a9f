package faults_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
)

// synchronous makes a server wait for a standby with each commit.
func synchronous(t *testing.T, primary *pgtest.Server) {
	t.Helper()
	for _, sql := range []string{
		"ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()",
	} {
		c, err := pgx.Connect(t.Context(), primary.URL("postgres"))
		apptest.Must(t, err)
		_, err = c.Exec(t.Context(), sql)
		apptest.Must(t, err)
		apptest.Must(t, c.Close(t.Context()))
	}
	eventually(t, "the standby is waited for", func() error {
		state, err := ask(primary.URL("postgres"),
			"SELECT sync_state FROM pg_stat_replication")
		if err == nil && state != "sync" {
			err = errors.New(state)
		}
		return err
	})
}

// oneOf returns the URL of whichever of the servers can be written.
func oneOf(t *testing.T, servers ...*pgtest.Server) string {
	t.Helper()
	u, err := url.Parse(servers[0].TCP("postgres"))
	apptest.Must(t, err)
	u.Host = ""
	for i, s := range servers {
		if i > 0 {
			u.Host += ","
		}
		u.Host += fmt.Sprintf("127.0.0.1:%d", s.Port())
	}
	u.RawQuery = "sslmode=disable&target_session_attrs=read-write"
	return u.String()
}

func TestAStandbyThatIsPromotedHasWhatWasAnswered(t *testing.T) {
	t.Parallel()
	inRounds(t, 1, func(t *testing.T, _ int) {
		t.Helper()
		primary := startPostgres(t)
		standby, err := primary.Standby(os.TempDir())
		apptest.Must(t, err)
		t.Cleanup(func() { apptest.Must(t, standby.Stop()) })
		synchronous(t, primary)
		url := oneOf(t, primary, standby)
		servers := startServers(t, 2, url)
		load := newLoad(t, servers)
		load.begin()
		load.reach(int64(50 + rand.IntN(200)))
		was := look(t, servers)
		time.Sleep(rand.N(20 * time.Millisecond))
		load.measureGap()
		apptest.Must(t, primary.Kill())
		promote(t, standby)
		load.reach(100)
		load.end()
		was.checkServers(t, servers, url)
		load.check()
		checkDatabase(t, servers[0], url)
		t.Logf("%s; the longest time without a change: %v", load.summary(), load.longestGap())
	})
}

// promote makes a standby the primary.
func promote(t *testing.T, standby *pgtest.Server) {
	t.Helper()
	promoted, err := ask(standby.URL("postgres"), "SELECT pg_promote()::text")
	if err != nil || promoted != "true" {
		t.Fatalf("promote: %s %v", promoted, err)
	}
}

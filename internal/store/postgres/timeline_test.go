package postgres_test

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/store/postgres"
	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// A primary that was stopped, and goes on after a standby was promoted, has what was the case then.
func TestWhoHasSeenTheNewPrimaryAsksTheOldOneNothing(t *testing.T) {
	t.Parallel()
	pgtest.Of(t) // or skip
	old, err := pgtest.Start(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	next, err := old.Standby(os.TempDir())
	t.Cleanup(func() {
		if err := errors.Join(next.Stop(), old.Stop()); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(old.TCP("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	u.Host = fmt.Sprintf("127.0.0.1:%d,127.0.0.1:%d", old.Port(), next.Port())
	both := with(t, u.String(), "target_session_attrs", "read-write", "connect_timeout", "1")
	db := open(t, both)
	ann := storetest.AddUser(t, db, "ann")
	eventually(t, "the standby has the user", func() bool {
		const tables = "SELECT tablename FROM pg_tables WHERE tablename = 'users'"
		return len(raw(t, next.URL("postgres"), tables)) > 0 &&
			hasUser(t, next.URL("postgres"), ann)
	})
	if err := old.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	raw(t, next.URL("postgres"), "SELECT pg_promote()::text")
	bob := storetest.NewUser("bob")
	eventually(t, "it finds the new primary", func() bool {
		return db.Update(t.Context(), func(tx vault.Tx) error {
			return tx.InsertUser(t.Context(), bob)
		}) == nil
	})
	if err := old.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		err := db.Read(t.Context(), func(r vault.Reader) error {
			_, err := r.User(t.Context(), bob.Owner)
			return err
		})
		if err != nil {
			t.Errorf("it asked the old primary: %v", err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestHowLongConnectionsAreKeptIsAParameterOfTheURL(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	open(t, with(t, url, "pool_max_conn_lifetime", "1m", "pool_max_conn_idle_time", "10s"))
	_, err := postgres.Open(t.Context(), postgres.Options{URL: with(t, url, "pool_max_conns", "4")})
	if err == nil || !strings.Contains(err.Error(), "--database-connections") {
		t.Errorf("the number of connections as a parameter: %v", err)
	}
}

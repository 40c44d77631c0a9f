package postgres_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/keysake/keysake/internal/store/postgres/pgtest"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// hasUser reports whether a user is in the database.
func hasUser(t *testing.T, url string, u vault.StoredUser) bool {
	t.Helper()
	return len(raw(t, url, "SELECT id FROM users WHERE id = $1", u.Owner.String())) > 0
}

func wantUnavailable(t *testing.T, what string, err error) {
	t.Helper()
	if vault.KindOf(err) != vault.Unavailable {
		t.Errorf("%s: got %v, want unavailable", what, err)
	}
}

// with adds parameters to a URL.
func with(t *testing.T, database string, parameters ...string) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	for i := 0; i < len(parameters); i += 2 {
		query.Set(parameters[i], parameters[i+1])
	}
	u.RawQuery = query.Encode()
	return u.String()
}

// A proxy passes on what a client and a server say, until it cuts the connection.
type proxy struct {
	listener net.Listener
	server   string // its socket
	// cut is asked about each piece that the client sends: whether to pass it on, and to cut then.
	cut func(piece []byte) (pass, cut bool)
}

// newProxy returns the URL of a database through a proxy.
func newProxy(t *testing.T, database string, cut func([]byte) (pass, cut bool)) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener, u.Query().Get("host") + "/.s.PGSQL." + u.Query().Get("port"), cut}
	var all sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); all.Wait() })
	all.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(client) })
		}
	})
	u.Host, u.RawQuery = listener.Addr().String(), "sslmode=disable"
	return u.String()
}

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	answers := make(chan struct{})
	go func() {
		defer close(answers)
		_, _ = io.Copy(client, server)
		_ = client.Close()
	}()
	defer func() { _ = server.Close(); <-answers }()
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		pass, cut := p.cut(buffer[:n])
		if cut {
			_ = client.Close() // no answer reaches it
		}
		if pass {
			_, _ = server.Write(buffer[:n])
		}
		if cut {
			if pass { // PostgreSQL hears the commit before the end of the connection
				time.Sleep(100 * time.Millisecond)
			}
			return
		}
	}
}

func TestACommitWhoseAnswerIsLostIsNoSuccessAndNotTriedAgain(t *testing.T) {
	t.Parallel()
	for what, arrives := range map[string]bool{"arrives": true, "is lost": false} {
		t.Run("the commit "+what, func(t *testing.T) {
			t.Parallel()
			url := pgtest.Migrated.Copy(t)
			db := open(t, newProxy(t, url, func(piece []byte) (pass, cut bool) {
				cut = bytes.Contains(piece, []byte("COMMIT\x00"))
				return !cut || arrives, cut
			}))
			runs, u := 0, storetest.NewUser("ann")
			err := db.Update(t.Context(), func(tx vault.Tx) error {
				runs++
				return tx.InsertUser(t.Context(), u)
			})
			wantUnavailable(t, "the update", err)
			if err != nil && !strings.Contains(err.Error(), "not known") {
				t.Errorf("the error does not say that the outcome is not known: %v", err)
			}
			if runs != 1 {
				t.Errorf("it ran %d times", runs)
			}
			there := hasUser(t, url, u)
			for tries := 0; arrives && !there && tries < 100; tries++ {
				time.Sleep(100 * time.Millisecond) // PostgreSQL may still write it down
				there = hasUser(t, url, u)
			}
			if there != arrives {
				t.Errorf("the user is there: %v", there)
			}
		})
	}
}

func TestAConnectionThatIsLostBeforeTheCommitIsNoError(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	db := open(t, url)
	storetest.AddUser(t, db, "first") // the pool has a connection
	const others = `SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity
		WHERE datname = current_database() AND pid <> pg_backend_pid()`
	raw(t, url, others)
	storetest.AddUser(t, db, "second")
	runs, u := 0, storetest.NewUser("third")
	err := db.Update(t.Context(), func(tx vault.Tx) error {
		if err := tx.InsertUser(t.Context(), u); err != nil {
			return err
		}
		if runs++; runs == 1 {
			raw(t, url, others)
		}
		_, err := tx.User(t.Context(), u.Owner)
		return err
	})
	if err != nil || runs != 2 || !hasUser(t, url, u) {
		t.Errorf("%d runs: %v", runs, err)
	}
	raw(t, url, others)
	if err := db.Ping(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestUpdatesThatLockLedgersInAnyOrderBothSucceed(t *testing.T) {
	t.Parallel()
	db := open(t, pgtest.Migrated.Copy(t))
	users := []vault.StoredUser{storetest.AddUser(t, db, "ann"), storetest.AddUser(t, db, "bob")}
	var all, both sync.WaitGroup
	both.Add(2)
	for i := range users {
		met := sync.OnceFunc(func() { both.Done(); both.Wait() })
		all.Go(func() {
			err := db.Update(t.Context(), func(tx vault.Tx) error {
				_, err := tx.LockLedger(t.Context(), users[i].Owner)
				met()
				if err != nil {
					return err
				}
				_, err = tx.LockLedger(t.Context(), users[1-i].Owner)
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

func TestALockThatIsKeptEndsAsUnavailable(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	db := open(t, with(t, url, "lock_timeout", "100"))
	ann := storetest.AddUser(t, db, "ann")
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.Background())
	if _, err := c.Exec(t.Context(), "BEGIN; SELECT id FROM users FOR UPDATE"); err != nil {
		t.Fatal(err)
	}
	lock := func(tx vault.Tx) error {
		_, err := tx.LockLedger(t.Context(), ann.Owner)
		return err
	}
	wantUnavailable(t, "while another keeps it", db.Update(t.Context(), lock))
	if _, err := c.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := db.Update(t.Context(), lock); err != nil {
		t.Error(err)
	}
}

func TestAnErrorThatTheUpdateHidesIsNoSuccess(t *testing.T) {
	t.Parallel()
	url := pgtest.Migrated.Copy(t)
	db := open(t, url)
	ann, bob := storetest.AddUser(t, db, "ann"), storetest.NewUser("bob")
	err := db.Update(t.Context(), func(tx vault.Tx) error {
		return errors.Join(tx.InsertUser(t.Context(), bob), ignore(tx.InsertUser(t.Context(), ann)))
	})
	if vault.KindOf(err) != vault.Conflict || hasUser(t, url, bob) {
		t.Errorf("got %v", err)
	}
}

func ignore(error) error { return nil }

func TestACommitThatStandbysMayNotHaveIsNoSuccess(t *testing.T) {
	t.Parallel()
	pgtest.Of(t) // or skip
	server, err := pgtest.Start(os.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	})
	db := open(t, server.URL("postgres"))
	raw(t, server.URL("postgres"), "ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
	raw(t, server.URL("postgres"), "SELECT pg_reload_conf()::text")
	for raw(t, server.URL("postgres"), "SHOW synchronous_standby_names")[0] == "" {
		time.Sleep(10 * time.Millisecond)
	}
	var u vault.StoredUser
	done := make(chan error, 1)
	insert := func(name string) {
		u = storetest.NewUser(name)
		go func(u vault.StoredUser) {
			done <- db.Update(t.Context(), func(tx vault.Tx) error {
				return tx.InsertUser(t.Context(), u)
			})
		}(u)
	}
	insert("ann")
	const interrupt = `SELECT pg_cancel_backend(pid)::text FROM pg_stat_activity
		WHERE wait_event = 'SyncRep'`
	for n := 0; len(raw(t, server.URL("postgres"), interrupt)) == 0; n++ {
		select {
		case err := <-done: // its checkpointer does not know yet that commits are to wait
			if err != nil {
				t.Fatal(err)
			}
			insert(fmt.Sprintf("ann-%d", n))
		case <-time.After(10 * time.Millisecond):
		}
	}
	wantUnavailable(t, "a commit that was interrupted", <-done)
	if !hasUser(t, server.URL("postgres"), u) {
		t.Error("the user is not there: this shows nothing")
	}
}

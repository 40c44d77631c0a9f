//go:build unix

package sqlite_test

import (
	"context"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// What the test binary does as another process: it stops while it holds a lock of the database that
// the variable names.
const (
	stopsWithTurn        = "KEYSAKE_TEST_STOPS_WITH_TURN"
	stopsInTransaction   = "KEYSAKE_TEST_STOPS_IN_TRANSACTION"
	answersAtTheDeadline = 10 * time.Second // more than any lock is waited for
)

func TestMain(m *testing.M) {
	if path := os.Getenv(writesUntilKilled); path != "" {
		writeUntilKilled(path)
	} else if path := os.Getenv(stopsWithTurn); path != "" {
		lock := flock.New(path + ".write-lock")
		must(lock.Lock())
		stop()
		must(lock.Unlock())
	} else if path := os.Getenv(stopsInTransaction); path != "" {
		db, err := sqlite.OpenShared(context.Background(), path)
		must(err)
		must(db.Update(context.Background(), func(tx vault.Tx) error {
			stop()
			return insert("of-the-stopped")(tx)
		}))
		must(db.Close())
	} else {
		os.Exit(m.Run())
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// stop is Ctrl-Z. It returns when the process goes on: a process may do more before all of its
// threads are stopped.
func stop() {
	goesOn := make(chan os.Signal, 1)
	signal.Notify(goesOn, syscall.SIGCONT)
	must(syscall.Kill(os.Getpid(), syscall.SIGSTOP))
	<-goesOn
}

// stopped returns another process when it has stopped with a lock of the database. The function
// lets it go on, and waits for its end. Its process group is its own: the kernel lets stopped
// processes go on whose group has lost the shell that it belonged to.
func stopped(t *testing.T, variable, path string) (resume func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), variable+"="+path)
	cmd.Stderr, cmd.SysProcAttr = os.Stderr, &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var status syscall.WaitStatus
	if _, err := syscall.Wait4(cmd.Process.Pid, &status, syscall.WUNTRACED, nil); err != nil ||
		!status.Stopped() {
		t.Fatalf("the other process did not stop: %v, %v", status, err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return func() {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAStoppedProcessThatHoldsTheTurnHoldsUpNobody(t *testing.T) {
	t.Parallel()
	l := newLibrary(t, 1)
	l.create()
	resume := stopped(t, stopsWithTurn, l.path)
	began := time.Now()
	for range 20 {
		l.create()
	}
	l.destroy() // the purge needs a turn too
	l.assertGone(l.erased)
	if took := time.Since(began); took > answersAtTheDeadline {
		t.Errorf("it took %v", took)
	}
	command, err := sqlite.OpenShared(t.Context(), l.path)
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Update(t.Context(), insert("of-a-command")); err != nil {
		t.Error(err)
	}
	closeDB(t, command)
	resume()
	l.create()
}

func TestAStoppedTransactionMakesUpdatesUnavailableAtADeadline(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	db := open(t, path)
	storetest.AddUser(t, db, "ann")
	resume := stopped(t, stopsInTransaction, path)
	began := time.Now()
	wantUnavailable(t, "an update", db.Update(t.Context(), insert("bob")))
	if took := time.Since(began); took > answersAtTheDeadline {
		t.Errorf("it took %v", took)
	}
	wantNames(t, db, "ann")
	resume()
	storetest.AddUser(t, db, "bob")
	wantNames(t, db, "ann", "bob", "of-the-stopped")
}

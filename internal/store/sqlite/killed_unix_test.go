//go:build unix

package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/store/storetest"
	"github.com/keysake/keysake/internal/vault"
)

// writesUntilKilled is what the test binary does as another process: it changes secrets of all
// sizes in the database that the variable names, so that the log is copied again and again.
const writesUntilKilled = "KEYSAKE_TEST_WRITES_UNTIL_KILLED"

func writeUntilKilled(path string) {
	ctx := context.Background()
	db, err := sqlite.Open(ctx, path)
	must(err)
	ann := storetest.NewUser(uuid.NewString())
	must(db.Update(ctx, func(tx vault.Tx) error { return tx.InsertUser(ctx, ann) }))
	var made []vault.StoredSecret
	for round := 0; ; round++ {
		fresh := make([]vault.StoredSecret, 50)
		for i := range fresh {
			fresh[i] = smallSecret(ann.Owner)
		}
		changed := made
		if len(made) > 500 {
			changed = made[mathrand.IntN(len(made)-100):][:100]
		}
		must(db.Update(ctx, func(tx vault.Tx) error {
			for _, n := range fresh {
				must(tx.InsertSecret(ctx, n))
			}
			for _, n := range changed {
				n.Version, n.SealedValue = uint64(round), random(70+mathrand.IntN(700))
				must(tx.UpdateSecret(ctx, n))
			}
			return nil
		}))
		if made = append(made, fresh...); round%40 == 0 {
			must(db.Update(ctx, func(tx vault.Tx) error {
				return tx.DeleteSecret(ctx, ann.Owner, made[0].ID)
			}))
			made = made[1:]
		}
		fmt.Println(round)
	}
}

// Whenever a process is killed, also while the log is copied and others write: no page of the
// database file has a copy of a row in its gap, and what was erased is gone after the next start.
func TestNoGapReachesTheFileOfAProcessThatIsKilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "keysake.db")
	for range 6 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), writesUntilKilled+"="+path)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		rounds := bufio.NewScanner(out)
		for range 60 + mathrand.IntN(60) {
			if !rounds.Scan() {
				t.Fatal("the other process ended by itself")
			}
		}
		time.Sleep(time.Duration(mathrand.IntN(20)) * time.Millisecond)
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		l := &library{t: t, path: path}
		l.assertNoGaps()
		closeDB(t, open(t, path)) // it purges what was left
		l.assertNoGaps()
	}
}

//go:build unix

package crash_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// halfSent begins a request and never ends it.
func halfSent(t *testing.T, p *process) {
	t.Helper()
	conn, err := net.Dial("tcp", p.host())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if _, err := fmt.Fprint(conn, "GET /api/v1/user HTTP/1.1\r\nHost: te"); err != nil {
		t.Fatal(err)
	}
}

// keepLocked keeps SQLite's lock of a database, as a process does that was stopped in the middle of
// a transaction.
func keepLocked(t *testing.T, data string) {
	t.Helper()
	db, err := sqlite.OpenShared(t.Context(), filepath.Join(data, "keysake.db"))
	if err != nil {
		t.Fatal(err)
	}
	begun, release, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- db.Update(context.Background(), func(vault.Tx) error {
			close(begun)
			<-release
			return nil
		})
	}()
	<-begun
	t.Cleanup(func() {
		close(release)
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestAStopEndsWhateverOthersDo(t *testing.T) {
	transit := apptest.NewTransit(t)
	random := newRandom(t)
	data := newData(t)
	onTransit := func(cmd *exec.Cmd) {
		cmd.Env = append(cmd.Env, "VAULT_ADDR="+transit.URL(), "VAULT_TOKEN=token-of-nobody")
	}
	p := launch(
		t, data, onTransit, "--root-key", apptest.TransitURL, "--key-service-timeout", "9s",
		"--shutdown-timeout", "1s",
	).ready()
	l := newLibrary(p, "somebody")
	admin := p.client(p.devKey())
	hold(t, p, l, "HELD", plaintext.FromString(text(random, 40)))
	halfSent(t, p)
	transit.Answer(apptest.Silence)
	go func() { // waits for the key service
		_, _ = admin.CreateUser(context.Background(), wire.CreateUser{Username: "late"})
	}()
	keepLocked(t, data)
	go func() { // waits for the lock
		_ = l.create(context.Background(), p.client(l.key), "LATE", plaintext.FromString("late"))
	}()

	began := time.Now()
	p.terminate()
	p.wait()
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v to stop", took)
	}
}

func TestASecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	p := start(t, newData(t), "--shutdown-timeout", patience.String())
	l := newLibrary(p, "somebody")
	hold(t, p, l, "HELD", plaintext.FromString(text(random, 40)))
	p.terminate()
	p.until("stops", func() bool { return strings.Contains(p.logs.String(), "msg=stopping") })
	p.terminate()
	if code := p.wait(); code == 0 { // -1 for the end by the signal
		t.Error("it waited for the request")
	}
}

// TestACommandThatIsStoppedHoldsUpNoWrites stops real commands, wherever they are, as Ctrl-Z does.
func TestACommandThatIsStoppedHoldsUpNoWrites(t *testing.T) {
	inFolders(t, 8, 25, stopCommands)
}

func stopCommands(t *testing.T, random *rand.Rand, rounds int) {
	t.Helper()
	data := newData(t)
	p := start(t, data)
	l := newLibrary(p, "somebody")
	for i := range 20 {
		p.newUser(fmt.Sprintf("user-%d", i))
	}
	c := p.client(l.key)
	for i := range rounds {
		args := []string{"owner-key", "rotate", "--all"}
		if i%2 == 1 {
			args = []string{"backup", filepath.Join(t.TempDir(), "backup")}
		}
		cmd := exec.Command(program, append(args, "--data", data)...)
		cmd.Env = []string{"KEYSAKE_KEYS=" + filepath.Join(data, "keysake.keys")}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(150)) * time.Millisecond)
		if err := cmd.Process.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		for j := range 3 {
			began := time.Now()
			value := plaintext.FromString(text(random, 40))
			err := l.create(t.Context(), c, fmt.Sprintf("NAME_%d_%d", i, j), value)
			wantStatus(t, err, http.StatusOK, http.StatusServiceUnavailable)
			if took := time.Since(began); took > 12*time.Second { // a request has 10
				t.Errorf("round %d: a create took %v", i, took)
			}
		}
		if _, err := c.ListSecrets(t.Context()); err != nil {
			t.Errorf("round %d: a read: %v", i, err)
		}
		if err := cmd.Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("round %d: %v\n%s", i, err, &out)
		}
	}
	checkAPI(t, p, []*library{l})
	p.stop()
}

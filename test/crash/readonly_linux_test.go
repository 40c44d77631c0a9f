package crash_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/keysake/keysake/plaintext"
)

// nobody is a user who owns nothing.
const nobody = 65534

// TestAServerOnAReadOnlyDatabaseReads: a database that may not be written is no reason not to
// answer what can be answered.
func TestAServerOnAReadOnlyDatabaseReads(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	dir, err := os.MkdirTemp(filepath.Dir(program), "data-*")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(dir, "data")
	p := start(t, data)
	l := newLibrary(p, "somebody")
	w := newWorkers([]*library{l}, 1, random)
	work(t, p, w, http.StatusOK)
	p.stop()

	lowly := mayNotWrite(t, data)
	p = launch(t, data, lowly).ready()
	stillReads(t, p, []*library{l}, http.StatusOK)
	for range 5 {
		err := l.create(
			t.Context(), p.client(l.key), "REFUSED", plaintext.FromString(text(random, 40)),
		)
		wantStatus(t, err, http.StatusInternalServerError, http.StatusServiceUnavailable)
	}
	stillReads(t, p, []*library{l}, http.StatusOK)
	checkAPI(t, p, []*library{l})
	p.terminate()
	p.wait() // that the last use of the API key cannot be written down may show in the exit code

	if err := os.Chmod(filepath.Join(data, "keysake.db"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = launch(t, data, lowly).ready()
	work(t, p, w, http.StatusOK)
	checkAPI(t, p, []*library{l})
	p.stop()
	checkFolder(t, data, []*library{l})
}

// mayNotWrite makes the database read-only, and returns how to start a process to which that means
// something: root is let write anything.
func mayNotWrite(t *testing.T, data string) func(*exec.Cmd) {
	t.Helper()
	if err := os.Chmod(filepath.Join(data, "keysake.db"), 0o400); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		return nil
	}
	for _, path := range append(
		[]string{"."}, "keysake.db", "keysake.db.write-lock", "keysake.lock", "root.key",
		"dev-api-key",
	) {
		if err := os.Chown(filepath.Join(data, path), nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		}
	}
}

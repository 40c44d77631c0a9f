package crash_test

import (
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

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
	p.stop()

	if err := os.Chmod(filepath.Join(data, "keysake.db"), 0o600); err != nil {
		t.Fatal(err)
	}
	p = launch(t, data, lowly).ready()
	work(t, p, w, http.StatusOK)
	checkAPI(t, p, []*library{l})
	p.stop()
	checkFolder(t, data, []*library{l})
}

// TestAReadOnlyMountServesReads also with a log that a killed server left.
func TestAReadOnlyMountServesReads(t *testing.T) {
	t.Parallel()
	for what, remount := range map[string]func(dir string, flags uintptr) error{
		"a file system": func(dir string, flags uintptr) error {
			return unix.Mount("", dir, "", unix.MS_REMOUNT|flags, "")
		},
		"a mount of it": func(dir string, flags uintptr) error {
			return unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND|flags, "")
		},
	} {
		for end, stop := range map[string]func(*process){
			"stopped": (*process).stop, "killed": (*process).kill,
		} {
			t.Run(what+", "+end, func(t *testing.T) {
				t.Parallel()
				d, err := fullFileSystem(t)
				if err != nil {
					t.Skipf("this machine does not let a test do that: %v", err)
				}
				random := newRandom(t)
				p := start(t, d.data)
				l := newLibrary(p, "somebody")
				w := newWorkers([]*library{l}, 1, random)
				work(t, p, w, http.StatusOK)
				stop(p)
				setReadOnly := func(flags uintptr) {
					t.Helper()
					if err := remount(filepath.Dir(d.data), flags); err != nil {
						t.Fatal(err)
					}
				}
				setReadOnly(unix.MS_RDONLY)
				before := files(t, d.data)
				readsAndRefuses(t, start(t, d.data), l)
				examine(t, d.data)
				if diff := cmp.Diff(before, files(t, d.data)); diff != "" {
					t.Error("something was written")
				}
				setReadOnly(0)
				p = start(t, d.data)
				work(t, p, w, http.StatusOK)
				checkAPI(t, p, []*library{l})
				p.stop()
			})
		}
	}
}

// readsAndRefuses checks a server that is read-only, and stops it.
func readsAndRefuses(t *testing.T, p *process, l *library) {
	t.Helper()
	p.until("says that it is read-only", func() bool {
		return strings.Contains(p.logs.String(), "the server is read-only")
	})
	res, err := http.Get(p.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	ready, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK || string(ready) != "ready, read-only\n" {
		t.Errorf("/readyz: %d, %q, %v", res.StatusCode, ready, err)
	}
	_ = res.Body.Close()
	c := p.client(l.key)
	list, err := c.ListSecrets(t.Context())
	wantStatus(t, err, http.StatusOK)
	for _, err := range []error{
		l.create(t.Context(), c, "REFUSED", plaintext.FromString("a value")),
		c.DeleteSecret(t.Context(), list.Secrets[0].ID),
	} {
		wantStatus(t, err, http.StatusServiceUnavailable)
		if err == nil || !strings.Contains(err.Error(), "The server is read-only") {
			t.Errorf("the answer to a change: %v", err)
		}
	}
	checkAPI(t, p, []*library{l})
	p.stop()
	if strings.Contains(p.logs.String(), "last use") {
		t.Errorf("the log complains of what it cannot store:\n%s", p.logs)
	}
}

// examine runs doctor on a data folder, whatever it finds but a database that it cannot read.
func examine(t *testing.T, data string) {
	t.Helper()
	out, err := exec.Command(program, "doctor", "--data", data,
		"--root-key", "file:"+filepath.Join(data, "root.key")).CombinedOutput()
	if !strings.Contains(string(out), "the file is not damaged") {
		t.Errorf("doctor: %v\n%s", err, out)
	}
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
	err := filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Chown(path, nobody, nobody))
	})
	if err != nil {
		t.Fatal(err)
	}
	return func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: nobody, Gid: nobody},
		}
	}
}

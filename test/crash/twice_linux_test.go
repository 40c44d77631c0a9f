package crash_test

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestOneServerServesADatabaseByWhateverPath: the lock is on the file itself, not on a name.
func TestOneServerServesADatabaseByWhateverPath(t *testing.T) {
	t.Parallel()
	random := newRandom(t)
	data := newData(t)
	p := start(t, data)
	l := newLibrary(p, "somebody")
	workers := newWorkers([]*library{l}, 2, random)
	database := filepath.Join(data, "keysake.db")
	for what, lead := range map[string]func(other string) error{
		"its folder": func(other string) error { return os.Symlink(data, other) },
		"its folder, mounted": func(other string) error {
			return errors.Join(os.Mkdir(other, 0o700), bind(t, data, other))
		},
		"a symbolic link": inFolder(func(path string) error { return os.Symlink(database, path) }),
		"a hard link":     inFolder(func(path string) error { return os.Link(database, path) }),
		"a mounted file": inFolder(func(path string) error {
			return errors.Join(os.WriteFile(path, nil, 0o600), bind(t, database, path))
		}),
		"its folder without the lock file": func(other string) error {
			return errors.Join(
				os.Remove(filepath.Join(data, "keysake.lock")), os.Symlink(data, other))
		},
		"its folder with another lock file": func(other string) error {
			lock := filepath.Join(data, "keysake.lock")
			err := os.Remove(lock)
			if errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
			return errors.Join(err, os.WriteFile(lock, nil, 0o600), os.Symlink(data, other))
		},
	} {
		other := newData(t)
		if err := lead(other); errors.Is(err, unix.EPERM) {
			t.Logf("%s: this machine does not let a test mount: %v", what, err)
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		before := len(files(t, data))
		second := launch(t, other, nil, "--root-key", "file:"+filepath.Join(data, "root.key"))
		if code, refused := second.refused(); !refused || code != 3 {
			t.Errorf("%s: refused: %v, exit code %d", what, refused, code)
		}
		second.wantLog("another keysake is running on")
		if after := len(files(t, data)); after > before+1 { // a lock file may be new
			t.Errorf("%s: %d files instead of %d", what, after, before)
		}
		work(t, p, workers, http.StatusOK)
	}
	p.alive()
	checkAPI(t, p, []*library{l})
	p.stop()
}

// refused waits until the server ends or listens.
func (p *process) refused() (code int, refused bool) {
	p.t.Helper()
	for listening.FindString(p.out.String()) == "" {
		select {
		case <-p.done:
			return p.cmd.ProcessState.ExitCode(), true
		case <-time.After(time.Millisecond):
		}
	}
	p.kill()
	return -1, false
}

// inFolder returns how to lead to the database from a folder of its own.
func inFolder(link func(path string) error) func(other string) error {
	return func(other string) error {
		return errors.Join(os.Mkdir(other, 0o700), link(filepath.Join(other, "keysake.db")))
	}
}

// bind mounts a file or folder in a second place until the test ends.
func bind(t *testing.T, from, to string) error {
	t.Helper()
	if err := unix.Mount(from, to, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := unix.Unmount(to, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return nil
}

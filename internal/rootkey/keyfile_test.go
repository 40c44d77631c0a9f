package rootkey_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
)

// keyFile writes a file of the given size and mode, and returns its path.
func keyFile(t *testing.T, size int, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(path, bytes.Repeat([]byte{7}, size), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil { // whatever the umask is
		t.Fatal(err)
	}
	return path
}

func TestARootKeyIsReadFromAFileOfItsOwner(t *testing.T) {
	for _, mode := range []fs.FileMode{0o600, 0o400, 0o700} {
		if _, err := rootkey.ReadKeyFile(keyFile(t, 32, mode)); err != nil {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func TestAFileThatIsNotAKeyFileIsRefused(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		keyFile(t, 32, 0o640):                       privatefile.ErrMode,
		keyFile(t, 0, 0o600):                        seal.ErrKeySize,
		keyFile(t, 31, 0o600):                       seal.ErrKeySize,
		keyFile(t, 33, 0o600):                       seal.ErrKeySize,
		keyFile(t, 1<<20, 0o600):                    seal.ErrKeySize,
		folder:                                      rootkey.ErrKeyFileType,
		filepath.Join(folder, "absent.key"):         fs.ErrNotExist,
		filepath.Join(folder, "absent", "root.key"): fs.ErrNotExist,
	} {
		if _, err := rootkey.ReadKeyFile(path); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
	}
}

func TestANewKeyFileHoldsTheKeyAndNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "folder", "root.key")
	made, err := rootkey.CreateKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 || info.Size() != seal.KeySize {
		t.Errorf("it is %v with %d bytes", info.Mode(), info.Size())
	}
	if parent, err := os.Stat(filepath.Dir(path)); err != nil || parent.Mode().Perm() != 0o700 {
		t.Errorf("its folder is %v (%v)", parent.Mode(), err)
	}
	read, err := rootkey.ReadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if read.ID() != made.ID() { // which follows from its bits
		t.Error("it reads as another key than was made")
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("there are other files in its folder: %v (%v)", entries, err)
	}
}

func TestTwoNewKeysDiffer(t *testing.T) {
	dir := t.TempDir()
	a, errA := rootkey.CreateKeyFile(filepath.Join(dir, "a"))
	b, errB := rootkey.CreateKeyFile(filepath.Join(dir, "b"))
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if a.ID() == b.ID() {
		t.Error("they are the same")
	}
}

func TestAKeyFileIsNeverOverwritten(t *testing.T) {
	dir := t.TempDir()
	for name, put := range map[string]func(path string) error{
		"a key": func(path string) error {
			return os.WriteFile(path, []byte("kept"), 0o600)
		},
		"an empty file": func(path string) error {
			return os.WriteFile(path, nil, 0o600)
		},
		"a folder": func(path string) error { return os.Mkdir(path, 0o700) },
		"a link to a file": func(path string) error {
			return os.Symlink(keyFile(t, 32, 0o600), path)
		},
		"a link to nothing": func(path string) error {
			return os.Symlink(filepath.Join(dir, "nowhere"), path)
		},
		"an unreadable file": func(path string) error {
			return os.WriteFile(path, []byte("kept"), 0o000)
		},
	} {
		path := filepath.Join(dir, name)
		if err := put(path); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		content, _ := os.ReadFile(path) // a link to nothing has none
		if _, err := rootkey.CreateKeyFile(path); !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: %v", name, err)
		}
		after, err := os.Lstat(path)
		if err != nil || !os.SameFile(before, after) || after.Mode() != before.Mode() {
			t.Errorf("%s: it was replaced (%v)", name, err)
		}
		if now, _ := os.ReadFile(path); !bytes.Equal(content, now) {
			t.Errorf("%s: it holds something else now", name)
		}
	}
	if hidden, err := filepath.Glob(filepath.Join(dir, ".*")); err != nil || len(hidden) != 0 {
		t.Errorf("something is left behind: %v (%v)", hidden, err)
	}
}

func TestOneOfManyConcurrentCreatorsOfAKeyFileSucceeds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	var made sync.Map // ids
	var makers, readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() { neverHalfAKey(t, path, done) })
	for range 16 {
		makers.Go(func() {
			switch k, err := rootkey.CreateKeyFile(path); {
			case err == nil:
				made.Store(k.ID(), nil)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	makers.Wait()
	close(done)
	readers.Wait()
	read, err := rootkey.ReadKeyFile(path)
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	made.Range(func(id, _ any) bool {
		count++
		if id != read.ID() {
			t.Error("the file has another key than its maker was given")
		}
		return true
	})
	if count != 1 {
		t.Errorf("%d made it", count)
	}
}

// neverHalfAKey reads the file until done: it is not there, or it is whole.
func neverHalfAKey(t *testing.T, path string, done <-chan struct{}) {
	t.Helper()
	for {
		if _, err := rootkey.ReadKeyFile(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
			return
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

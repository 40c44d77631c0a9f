package memfile_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/keysake/keysake/internal/memfile"
	"github.com/keysake/keysake/plaintext"
)

const content = "line one\nline two\r\n\x00\xff"

// memory returns a folder in memory.
func memory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "keysake-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestAFileInMemoryHasTheValueAndIsRemoved(t *testing.T) {
	old := unix.Umask(0)
	defer unix.Umask(old)
	path := filepath.Join(memory(t), "key")
	f, err := memfile.Named(path, plaintext.FromString(content))
	if err != nil || f.Path != path {
		t.Fatal(f.Path, err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != content {
		t.Errorf("%v, %d bytes", err, len(got))
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if err := f.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("afterwards: %v", err)
	}
}

func TestNothingIsReplacedAndNothingGoesToADisk(t *testing.T) {
	dir := memory(t)
	existing, link := filepath.Join(dir, "existing"), filepath.Join(dir, "link")
	if err := errors.Join(
		os.WriteFile(existing, []byte("before"), 0o600),
		os.Symlink(filepath.Join(dir, "elsewhere"), link),
	); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		existing:                            "it exists",
		link:                                "it exists",
		filepath.Join(dir, "no", "folder"):  "no such file",
		filepath.Join("/proc", "self", "x"): "on a disk",
	} {
		_, err := memfile.Named(path, plaintext.FromString(content))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if b, err := os.ReadFile(existing); err != nil || string(b) != "before" {
		t.Errorf("%v: the file was changed", err)
	}
	if memfile.CheckFolder(existing) != nil || memfile.CheckFolder("/proc/self/x") == nil {
		t.Error("the folders are not told apart")
	}
}

func TestAFileWithoutANameIsInheritedAndCannotBeChanged(t *testing.T) {
	f, err := memfile.Nameless(plaintext.FromString(content))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // each program reads it from its beginning
		out, err := exec.Command("cat", f.Path).Output()
		if err != nil || string(out) != content {
			t.Errorf("%v, %d bytes", err, len(out))
		}
	}
	if err := exec.Command("sh", "-c", "echo x > "+f.Path).Run(); err == nil {
		t.Error("it was changed")
	}
	if info, err := os.Stat(f.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, mode %v", err, info.Mode())
	}
	if err := f.Remove(); err != nil {
		t.Error(err)
	}
}

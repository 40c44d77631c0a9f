package memfile_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 0 {
		t.Errorf("afterwards: %v, %v", left, err)
	}
}

// The test's binary is also a program that makes a file, and is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("MEMFILE"); path != "" {
		f, err := memfile.Named(path, plaintext.FromString(content))
		fmt.Println(err)
		time.Sleep(time.Hour)
		_ = f.Remove()
	}
	os.Exit(m.Run())
}

func TestWhatAKilledProcessLeftIsRemovedByTheNext(t *testing.T) {
	dir := memory(t)
	paths := []string{filepath.Join(dir, "live"), filepath.Join(dir, "killed")}
	for i, path := range paths {
		cmd := exec.Command(os.Args[0])
		cmd.Env = []string{"MEMFILE=" + path}
		out, err := cmd.StdoutPipe()
		if err := errors.Join(err, cmd.Start()); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
		var said string
		if _, err := fmt.Fscanln(out, &said); err != nil || said != "<nil>" {
			t.Fatal(said, err)
		}
		if i == 1 {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	// What others wrote since then, and what only looks like a note, is not touched.
	other := filepath.Join(dir, "other")
	if err := errors.Join(
		os.WriteFile(other, nil, 0o600),
		os.WriteFile(filepath.Join(dir, ".other.keysake"), []byte("7"), 0o600),
		os.Symlink(other, filepath.Join(dir, ".link.keysake")),
	); err != nil {
		t.Fatal(err)
	}
	f, err := memfile.Named(paths[1], plaintext.FromString("new"))
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(paths[1]); err != nil || string(b) != "new" {
		t.Errorf("%v, %d bytes", err, len(b))
	}
	if err := f.Remove(); err != nil {
		t.Error(err)
	}
	var left []string
	for _, entry := range must(os.ReadDir(dir)) {
		left = append(left, entry.Name())
	}
	if want := ".link.keysake .live.keysake live other"; strings.Join(left, " ") != want {
		t.Errorf("left: %q", left)
	}
	if _, err := memfile.Named(paths[0], plaintext.FromString("x")); err == nil ||
		!strings.Contains(err.Error(), "it exists") {
		t.Errorf("of a process that lives: %v", err)
	}
}

func must[T any](v T, _ error) T { return v }

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

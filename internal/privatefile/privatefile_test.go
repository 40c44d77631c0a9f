package privatefile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/keysake/keysake/internal/privatefile"
)

func TestAFileOfItsOwnerIsToldFromOneThatIsShared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[fs.FileMode]error{
		0o600: nil, 0o400: nil, 0o700: nil,
		0o640: privatefile.ErrMode, 0o604: privatefile.ErrMode, 0o602: privatefile.ErrMode,
		0o610: privatefile.ErrMode, 0o601: privatefile.ErrMode,
	} {
		if err := os.Chmod(path, mode); err != nil { // whatever the umask is
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := privatefile.CheckMode(info); !errors.Is(err, want) {
			t.Errorf("%v: %v", mode, err)
		}
	}
}

func TestAFailedWriteLeavesNothing(t *testing.T) {
	broken := errors.New("broken")
	half := func(f *os.File) error {
		_, err := f.WriteString("half")
		return errors.Join(err, broken)
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := privatefile.Create(path, half); !errors.Is(err, broken) {
		t.Error(err)
	}
	assertFiles(t, dir, nil)
	if err := privatefile.Create(path, privatefile.Content([]byte("old"))); err != nil {
		t.Fatal(err)
	}
	if err := privatefile.Replace(path, half); !errors.Is(err, broken) {
		t.Error(err)
	}
	assertFiles(t, dir, map[string]string{"file": "old"})
}

func TestNothingButARegularFileIsReplaced(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "target"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	link, folder := filepath.Join(dir, "link"), filepath.Join(dir, "folder")
	if err := errors.Join(os.Symlink("target", link), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{link, folder, os.DevNull} {
		err := privatefile.Replace(path, privatefile.Content([]byte("new")))
		if !errors.Is(err, privatefile.ErrNotRegular) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if to, err := os.Readlink(link); err != nil || to != "target" {
		t.Errorf("the link leads to %s: %v", to, err)
	}
}

func TestOnlyReplaceOverwritesAFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	first, second := privatefile.Content([]byte("first")), privatefile.Content([]byte("second"))
	if err := privatefile.Create(path, first); err != nil {
		t.Fatal(err)
	}
	if err := privatefile.Create(path, second); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	assertFiles(t, dir, map[string]string{"file": "first"})
	if err := privatefile.Replace(path, second); err != nil {
		t.Error(err)
	}
	assertFiles(t, dir, map[string]string{"file": "second"})
}

func TestCreateDoesNotOverwriteAFileThatCameWhileItWrote(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	err := privatefile.Create(path, func(*os.File) error {
		return os.WriteFile(path, []byte("theirs"), 0o600)
	})
	if !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	assertFiles(t, dir, map[string]string{"file": "theirs"})
}

func TestWhatAKilledWriterLeftIsRemovedAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	kept := map[string]string{
		"backup": "magic 1", ".backup.12.part": "another", ".part": "", ".backup.part": "magic 1",
		".backup.x.part": "magic 1",
	}
	left := map[string]string{
		".backup.1.part": "magic 1",
		".other.23.part": "magic",
		".a.4.part":      "",
	}
	for _, files := range []map[string]string{kept, left} {
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	err := privatefile.Create(filepath.Join(dir, "new"), func(f *os.File) error {
		privatefile.RemoveParts(dir, "magic") // while the file is empty
		_, err := f.WriteString("magic 2")
		privatefile.RemoveParts(dir, "magic")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	kept["new"] = "magic 2"
	assertFiles(t, dir, kept)
	privatefile.RemoveParts(filepath.Join(dir, "no-such-folder"), "magic")
}

// assertFiles checks that the folder holds exactly these files, each with mode 0600.
func assertFiles(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(want) {
		t.Fatalf("the folder holds %v (%v)", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s is %v (%v)", e.Name(), info.Mode(), err)
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || string(b) != want[e.Name()] {
			t.Errorf("%s holds %q (%v)", e.Name(), b, err)
		}
	}
}

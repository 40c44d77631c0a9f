package keysfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/keysfile"
	"github.com/keysake/keysake/internal/privatefile"
)

var (
	one, two = uuid.UUID{6: 0x80, 8: 0x80, 15: 1}, uuid.UUID{6: 0x80, 8: 0x80, 15: 2}
	day      = time.Date(2026, 4, 15, 12, 0, 0, 0, time.UTC)
)

func read(t *testing.T, text string) (keysfile.File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return keysfile.Read(path)
}

func TestAFileNamesKeysInTheirOrder(t *testing.T) {
	got, err := read(t, "# mine\n\nroot-key file:/a b\r\n  instance-key "+two.String()+
		"\nroot-key passphrase:"+one.String()+"\nroot-key hashivault://k\ninstance-key "+
		one.String())
	if err != nil {
		t.Fatal(err)
	}
	want := keysfile.File{
		RootKeys:     []string{"file:/a b", "passphrase:" + one.String(), "hashivault://k"},
		InstanceKeys: []uuid.UUID{two, one},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(keysfile.File{})); diff != "" {
		t.Error(diff)
	}
}

func TestWhatNamesNoKeyIsRefusedWithItsLine(t *testing.T) {
	for line, want := range map[string]string{
		"root_key file:/a":                           "write root-key URL",
		"root-key":                                   "the URL of a root key",
		"root-key file:a":                            "absolute",
		"root-key ftp://nowhere":                     "the URL of a root key",
		"root-key hashivault://me:word@k":            "credentials",
		"root-key file:/first":                       "twice",
		"instance-key 1":                             "not the id",
		"instance-key {" + one.String() + "}":        "not the id",
		"instance-key " + two.String():               "twice",
		"instance-key " + one.String() + " and more": "not the id",
		"// a comment":                               "write root-key URL",
	} {
		text := "root-key file:/first\ninstance-key " + two.String() + "\n" + line + "\n"
		_, err := read(t, text)
		if err == nil || !strings.Contains(err.Error(), "line 3: ") ||
			!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "word") {
			t.Errorf("%s: %v", line, err)
		}
	}
	if _, err := read(t, strings.Repeat("#\n", 40_000)); err == nil {
		t.Error("a file that is too large was read")
	}
}

func TestOnlyItsOwnerMayReadOrChangeAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := keysfile.Read(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of no file: %v", err)
	}
	f := keysfile.File{RootKeys: []string{"file:/a"}, InstanceKeys: []uuid.UUID{one}}
	if err := f.Write(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("its mode is %v: %v", info.Mode(), err)
	}
	for _, mode := range []fs.FileMode{0o640, 0o620, 0o602} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keysfile.Read(path); !errors.Is(err, privatefile.ErrMode) {
			t.Errorf("%v: %v", mode, err)
		}
	}
	if _, err := keysfile.Read(t.TempDir()); err == nil {
		t.Error("a folder was read")
	}
}

func TestWhatIsTakenOutStaysAsACommentAndCommentsStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "keys")
	first := keysfile.File{}.With([]string{"file:/a"}, []uuid.UUID{one}, day)
	if err := first.Write(path); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(keysfile.File) keysfile.File{
		func(f keysfile.File) keysfile.File {
			return f.With([]string{"file:/b", "file:/a"}, f.InstanceKeys, day)
		},
		func(f keysfile.File) keysfile.File {
			return f.With([]string{"file:/b"}, []uuid.UUID{two}, day)
		},
	} {
		f, err := keysfile.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := change(f).Write(path); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(text), "# until")
	want := " 2026-04-15: root-key file:/a\n# until 2026-04-15: instance-key " + one.String() +
		"\nroot-key file:/b\ninstance-key " + two.String() + "\n"
	if !found || rest != want || !strings.HasPrefix(string(text), "# The keys of ") {
		t.Errorf("%s", text)
	}
}

func TestWhatCannotBeReadBackIsNotWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	for _, urls := range [][]string{
		{"file:/a "}, {"file:a"}, {"file:/a", "file:/a"}, {"file:/a\nroot-key file:/b"}, {""},
	} {
		if err := (keysfile.File{RootKeys: urls}).Write(path); err == nil {
			t.Errorf("%q was written", urls)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("there is a file")
	}
}

func FuzzParse(f *testing.F) {
	f.Add("# c\nroot-key file:/a\ninstance-key " + one.String())
	f.Fuzz(func(t *testing.T, text string) {
		got, err := read(t, text)
		if err != nil {
			return
		}
		path := filepath.Join(t.TempDir(), "again")
		if err := got.Write(path); err != nil {
			t.Fatal(err)
		}
		again, err := keysfile.Read(path)
		if diff := cmp.Diff(got, again, cmpopts.IgnoreUnexported(keysfile.File{}),
			cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	})
}

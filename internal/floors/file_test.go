package floors_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/floors"
	"github.com/keysake/keysake/internal/privatefile"
)

var (
	key, otherKey = uuid.UUID{15: 1}, uuid.UUID{15: 2}
	mia, tom      = uuid.UUID{0: 1}, uuid.UUID{0: 2}
)

type numbers = map[floors.Ledger]uint64

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newFile(t *testing.T) *floors.File {
	t.Helper()
	return floors.New(filepath.Join(t.TempDir(), "floors"))
}

// wantNumbers checks what a process reads that starts now.
func wantNumbers(t *testing.T, f *floors.File, want numbers, damaged int) {
	t.Helper()
	got, err := floors.New(f.Path()).Read()
	must(t, err)
	if diff := cmp.Diff(want, got.Numbers); diff != "" || got.Damaged != damaged {
		t.Errorf("%d damaged: %s", got.Damaged, diff)
	}
}

func TestAFloorOnlyRises(t *testing.T) {
	f := newFile(t)
	wantNumbers(t, f, numbers{}, 0)
	must(t, f.Raise(nil))
	if _, err := os.Stat(f.Path()); !errors.Is(err, os.ErrNotExist) {
		t.Error("a file without floors was made")
	}
	must(t, f.Raise(numbers{{key, mia}: 5, {key, tom}: 7}))
	must(t, f.Raise(numbers{{key, mia}: 4, {key, tom}: 8, {otherKey, mia}: 1}))
	wantNumbers(t, f, numbers{{key, mia}: 5, {key, tom}: 8, {otherKey, mia}: 1}, 0)
	got, err := f.Read()
	must(t, err)
	want := map[uuid.UUID]uint64{mia: 5, tom: 8}
	if diff := cmp.Diff(want, got.Of([]uuid.UUID{key})); diff != "" {
		t.Error(diff)
	}
}

func TestAFileHasTheBytesOfItsFormat(t *testing.T) {
	f := newFile(t)
	must(t, f.Raise(numbers{{key, mia}: 0x0102}))
	must(t, f.Reset(key, nil))
	got, err := os.ReadFile(f.Path())
	must(t, err)
	want := "6b657973616b6520666c6f6f72732076310a" + // the text, by format.md
		"0000000000000000000000000000000000000000000000000000" + "CRC" +
		"01000000" + "00000000000000000000000000000001" + "01000000000000000000000000000000" +
		"0000000000000102" + "CRC" +
		"02000000" + "00000000000000000000000000000001" + "00000000000000000000000000000000" +
		"0000000000000001" + "CRC"
	shown := ""
	for at := 0; at < len(got); at += 48 {
		shown += hex.EncodeToString(got[at:at+44]) + "CRC"
	}
	if diff := cmp.Diff(want, shown); diff != "" {
		t.Error(diff)
	}
}

func TestWhatWasNotCompletelyWrittenIsPassedOver(t *testing.T) {
	for cut := 1; cut <= 48; cut++ {
		f := newFile(t)
		must(t, f.Raise(numbers{{key, mia}: 5}))
		must(t, f.Raise(numbers{{key, tom}: 7}))
		info, err := os.Stat(f.Path())
		must(t, err)
		must(t, os.Truncate(f.Path(), info.Size()-int64(cut)))
		damaged := 1
		if cut == 48 {
			damaged = 0
		}
		wantNumbers(t, f, numbers{{key, mia}: 5}, damaged)
		f = floors.New(f.Path())
		_, err = f.Read()
		must(t, err)
		must(t, f.Raise(numbers{{key, tom}: 9}))
		wantNumbers(t, f, numbers{{key, mia}: 5, {key, tom}: 9}, damaged)
	}
}

func TestAResetTakesTheFloorsOfOneInstanceKey(t *testing.T) {
	f := newFile(t)
	must(t, f.Raise(numbers{{key, mia}: 5, {key, tom}: 7, {otherKey, mia}: 9}))
	must(t, f.Reset(key, map[uuid.UUID]uint64{mia: 3}))
	want := numbers{{key, mia}: 3, {otherKey, mia}: 9}
	wantNumbers(t, f, want, 0)
	must(t, f.Reset(key, map[uuid.UUID]uint64{mia: 3}))
	got, err := f.Read()
	must(t, err)
	if got.Resets[key] != 2 || got.Resets[otherKey] != 0 {
		t.Errorf("resets: %v", got.Resets)
	}
	wantNumbers(t, f, want, 0)
}

func TestWhatAnotherProcessWritesIsNoticed(t *testing.T) {
	f := newFile(t)
	must(t, f.Raise(numbers{{key, mia}: 5}))
	other := floors.New(f.Path())
	_, err := other.Read()
	must(t, err)
	for what, change := range map[string]func() error{
		"a floor": func() error { return other.Raise(numbers{{key, tom}: 1}) },
		"a reset": func() error { return other.Reset(key, nil) },
		"another file": func() error {
			b, err := os.ReadFile(f.Path())
			return errors.Join(err, privatefile.Replace(f.Path(), privatefile.Content(b)))
		},
		"no file": func() error { return os.Remove(f.Path()) },
	} {
		_, err := other.Read()
		must(t, err)
		_, err = f.Read()
		must(t, errors.Join(err, f.Raise(nil)))
		must(t, change())
		for _, n := range []numbers{nil, {{key, mia}: 6}} {
			if err := f.Raise(n); !errors.Is(err, floors.ErrChanged) {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err = f.Read()
		must(t, errors.Join(err, f.Raise(numbers{{key, mia}: 6})))
	}
}

func TestAFileThatHasGrownIsMadeShorter(t *testing.T) {
	f := newFile(t)
	must(t, f.Raise(numbers{{key, mia}: 5, {otherKey, mia}: 9}))
	must(t, f.Reset(key, map[uuid.UUID]uint64{mia: 6}))
	many := numbers{}
	for n := range uint16(1000) {
		many[floors.Ledger{Key: key, User: uuid.UUID{0: 3, 1: byte(n >> 8), 2: byte(n)}}] = 1
	}
	most := int64(0)
	for n := range uint64(60) {
		for l := range many {
			many[l] = n
		}
		must(t, f.Raise(many))
		info, err := os.Stat(f.Path())
		must(t, err)
		most = max(most, info.Size())
	}
	if most > 1_300_000 {
		t.Errorf("it grew to %d bytes", most)
	}
	want := numbers{{key, mia}: 6, {otherKey, mia}: 9}
	for l := range many {
		want[l] = 59
	}
	wantNumbers(t, f, want, 0)
	got, err := f.Read()
	must(t, err)
	if got.Resets[key] != 1 {
		t.Errorf("resets: %v", got.Resets)
	}
}

func TestAFileOfAnotherKindOrOpenToOthersIsRefused(t *testing.T) {
	f := newFile(t)
	for _, text := range []string{"keysake floors v2\n", "{}", string(make([]byte, 48))} {
		must(t, os.WriteFile(f.Path(), []byte(text), 0o600))
		if _, err := f.Read(); err == nil {
			t.Errorf("%q was read", text)
		}
	}
	must(t, os.WriteFile(f.Path(), nil, 0o600))
	_, err := f.Read()
	must(t, errors.Join(err, f.Raise(numbers{{key, mia}: 1})))
	wantNumbers(t, f, numbers{{key, mia}: 1}, 0)
	must(t, os.Chmod(f.Path(), 0o660))
	if _, err := f.Read(); !errors.Is(err, privatefile.ErrMode) {
		t.Errorf("open to others: %v", err)
	}
}

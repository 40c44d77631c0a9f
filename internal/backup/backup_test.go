package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/backup"
)

var sameRows = cmp.Options{
	cmp.AllowUnexported(memory{}),
	cmpopts.IgnoreMapEntries(func(_ string, rows []backup.Row) bool { return len(rows) == 0 }),
	cmpopts.EquateEmpty(), // a nil []byte is an empty blob; an absent value is no []byte
}

func TestWhatWasWrittenIsRead(t *testing.T) {
	want := sample()
	b := write(t, want)
	f, err := open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read(t, f), sameRows); diff != "" {
		t.Error(diff)
	}
	m := f.Manifest()
	if m.Format != backup.Format || m.Schema != 1 ||
		!m.CreatedAt.Equal(time.Unix(1_700_000_000, 0)) ||
		m.Tables[2].Rows != 4 || *m.Audit != *described.Audit {
		t.Errorf("the manifest is %+v", m)
	}
	if again := write(t, f); !bytes.Equal(b, again) {
		t.Error("a backup of a backup differs from it")
	}
	for _, err := range f.Rows(t.Context(), "unknown") {
		if !errors.Is(err, backup.ErrContents) {
			t.Errorf("a table that is not there: %v", err)
		}
	}
}

func TestAnyRowsComeBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := anyMemory(r)
		f, err := open(t.Context(), write(t, want))
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(want, read(t, f), sameRows); diff != "" {
			r.Error(diff)
		}
	})
}

var refusals = []error{
	backup.ErrNotBackup, backup.ErrNewer, backup.ErrCutShort, backup.ErrDigest, backup.ErrContents,
}

func assertRefused(tb testing.TB, what string, err error) {
	tb.Helper()
	for _, known := range refusals {
		if errors.Is(err, known) {
			return
		}
	}
	tb.Errorf("%s: %v", what, err)
}

func TestAFlippedBitAnywhereIsRefused(t *testing.T) {
	b := write(t, small())
	for i := range b {
		for bit := range 8 {
			b[i] ^= 1 << bit
			_, err := open(t.Context(), b)
			assertRefused(t, fmt.Sprintf("bit %d of byte %d", bit, i), err)
			b[i] ^= 1 << bit
		}
	}
}

func TestAnyChangeOfBytesIsRefused(t *testing.T) {
	b := write(t, sample())
	rapid.Check(t, func(r *rapid.T) {
		from := rapid.IntRange(0, len(b)).Draw(r, "from")
		to := rapid.IntRange(from, min(len(b), from+300)).Draw(r, "to")
		instead := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(r, "instead")
		changed := append(append(append([]byte(nil), b[:from]...), instead...), b[to:]...)
		if bytes.Equal(changed, b) {
			return
		}
		_, err := open(t.Context(), changed)
		assertRefused(t, "changed", err)
	})
}

func TestABackupThatEndsTooSoonOrTooLateIsRefused(t *testing.T) {
	b := write(t, sample())
	for i, c := range b {
		if c != '\n' && i%997 != 0 {
			continue
		}
		_, err := open(t.Context(), b[:i])
		assertRefused(t, fmt.Sprintf("cut at %d", i), err)
		if i < len(b)-1 {
			_, err = open(t.Context(), b[:i+1])
			assertRefused(t, fmt.Sprintf("cut after %d", i), err)
		}
	}
	_, err := open(t.Context(), append(b, '\n'))
	assertRefused(t, "longer", err)
	_, err = open(t.Context(), append(b, b...))
	assertRefused(t, "twice", err)
}

func TestTheFormatIsRefusedByItsNumber(t *testing.T) {
	b := write(t, sample())
	for head, want := range map[string]error{
		"keysake backup 2\n":                    backup.ErrNewer,
		"keysake backup 99999\n":                backup.ErrNewer,
		"keysake backup 0\n":                    backup.ErrNotBackup,
		"keysake backup 01\n":                   backup.ErrNotBackup,
		"keysake backup +1\n":                   backup.ErrNotBackup,
		"keysake backup \n":                     backup.ErrNotBackup,
		"keysake backup 1\r\n":                  backup.ErrNotBackup,
		"keysake backup 1111111111111111111111": backup.ErrNotBackup,
		"SQLite format 3\x00":                   backup.ErrNotBackup,
		"":                                      backup.ErrNotBackup,
	} {
		rest := b[len("keysake backup 1\n"):]
		if head == "" {
			rest = nil
		}
		if _, err := open(t.Context(), append([]byte(head), rest...)); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", head, err, want)
		}
	}
}

// sign gives a body the trailer that belongs to it, as anyone can who makes a backup of his own.
func sign(body string) []byte {
	return fmt.Appendf(nil, "%s{\"sha256\":\"%x\"}\n", body, sha256.Sum256([]byte(body)))
}

func TestWhatBreaksTheFormatIsRefusedThoughTheDigestMatches(t *testing.T) {
	body, _, _ := strings.Cut(string(write(t, small())), "{\"sha256\"")
	if _, err := open(t.Context(), sign(body)); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(body, "\n"), "\n")
	lines[len(lines)-1] += "\n"
	joined := func(order ...int) (s string) {
		for _, i := range order {
			s += lines[i]
		}
		return s
	}
	replaced := func(old, with string) string { return strings.Replace(body, old, with, 1) }
	for what, changed := range map[string]string{
		"a row less":                joined(0, 1, 2, 3, 5, 6, 7, 8),
		"the last row less":         joined(0, 1, 2, 3, 4, 5, 6, 7),
		"no manifest":               joined(0, 2, 3, 4, 5, 6, 7, 8),
		"only the magic line":       lines[0],
		"a row more":                body + lines[8],
		"rows in another order":     joined(0, 1, 3, 2, 4, 5, 6, 7, 8),
		"numbers in another order":  joined(0, 1, 2, 3, 4, 6, 5, 7, 8),
		"blobs in another order":    joined(0, 1, 2, 3, 4, 5, 7, 6, 8),
		"a row twice":               joined(0, 1, 2, 3, 3, 5, 6, 7, 8),
		"a negative count":          replaced(`"rows":3`, `"rows":-1`),
		"a count beyond all":        replaced(`"rows":4`, `"rows":9223372036854775807`),
		"two tables of one name":    replaced(`"name":"none"`, `"name":"people"`),
		"a table without a name":    replaced(`"name":"none"`, `"name":""`),
		"a name with an escape":     replaced(`"name":"none"`, `"name":"no\u001b"`),
		"two columns of one name":   replaced(`"name":"photo"`, `"name":"name"`),
		"an unknown kind":           replaced(`"kind":"blob"`, `"kind":"float"`),
		"no key":                    replaced(`"key":1`, `"key":0`),
		"a key of too many columns": replaced(`"key":3`, `"key":5`),
		"an unknown member":         replaced(`"schema":1`, `"schema":1,"extra":1`),
		"a member twice":            replaced(`"schema":1`, `"schema":1,"schema":1`),
		"a member in capitals":      replaced(`"schema":1`, `"Schema":1`),
		"another format inside":     replaced(`{"format":1`, `{"format":2`),
		"no schema":                 replaced(`"schema":1`, `"schema":0`),
		"an end that is negative":   replaced(`"number":7`, `"number":-7`),
		"an end without a hash":     replaced(`"hash":"0102`, `"hash":"02`),
		"an end with more":          replaced(`"number":7`, `"number":7,"more":7`),
		"a row of another table":    replaced(`["people","p1"`, `["none","p1"`),
		"a value more":              replaced(`"mia"`, `"mia",1`),
		"a value less":              replaced(`"mia",`, ``),
		"a number for a text":       replaced(`"mia"`, `7`),
		"a text for a number":       replaced(`-1]`, `"-1"]`),
		"a fraction":                replaced(`-1]`, `-1.0]`),
		"a number beyond all":       replaced(`9223372036854775807]`, `9223372036854775808]`),
		"no key in a row":           replaced(`["people","p1"`, `["people",null`),
		"a blob that is not base64": replaced(`"AP8="`, `"AP8"`),
		"a blob with a line break":  replaced(`"AP8="`, `"AP\n8="`),
		"a blob with spare bits":    replaced(`"AP8="`, `"AP9="`),
		"bytes that are no text":    replaced(`"mia"`, "\"m\xff\""),
		"a row that is no array":    replaced(lines[3], "{\"name\":\"mia\"}\n"),
		"a line longer than any":    replaced(`"mia"`, `"`+strings.Repeat("m", 2<<20)+`"`),
		"a line that has no end":    strings.TrimSuffix(body, "\n"),
		"an empty line":             replaced("\n", "\n\n"),
	} {
		if changed == body {
			t.Fatalf("%s: nothing was changed", what)
		}
		_, err := open(t.Context(), sign(changed))
		if !errors.Is(err, backup.ErrContents) && !errors.Is(err, backup.ErrCutShort) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), "mia") {
			t.Errorf("%s: the message shows a row: %v", what, err)
		}
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	full := errors.New("no space left on device")
	for what, change := range map[string]func(*memory){
		"text that is not UTF-8":  func(m *memory) { m.rows["people"][1][1] = "canary\xff" },
		"a row that is too long":  func(m *memory) { m.rows["people"][1][2] = make([]byte, 1<<20) },
		"a value of another kind": func(m *memory) { m.rows["people"][1][1] = int64(1) },
		"a value of no kind":      func(m *memory) { m.rows["people"][1][3] = 1 },
		"a row without its key":   func(m *memory) { m.rows["people"][0][0] = nil },
		"a row of another table":  func(m *memory) { m.rows["people"][0] = backup.Row{"p0"} },
		"a row twice":             func(m *memory) { m.rows["people"][0] = m.rows["people"][1] },
		"a count that is wrong":   func(m *memory) { m.tables[0].Rows++ },
		"a table without a key":   func(m *memory) { m.tables[1].Key = 0 },
		"two tables of one name":  func(m *memory) { m.tables[1].Name = "people" },
		"too many tables":         func(m *memory) { m.tables = make([]backup.Table, 1001) },
		"rows that are not ordered": func(m *memory) {
			m.rows["people"][0], m.rows["people"][1] = m.rows["people"][1], m.rows["people"][0]
		},
	} {
		src := sample()
		change(src)
		_, _, err := backup.Write(t.Context(), io.Discard, src, described)
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, _, err := backup.Write(t.Context(), failing{full}, sample(), described)
	if !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestACanceledReadEnds(t *testing.T) {
	b := write(t, sample())
	ctx, cancel := context.WithCancel(t.Context())
	f, err := open(ctx, b)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := open(ctx, b); !errors.Is(err, context.Canceled) {
		t.Errorf("open: %v", err)
	}
	for _, err := range f.Rows(ctx, "people") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("rows: %v", err)
		}
	}
}

// FuzzReader gives the reader anything, once as it is, and once with the digest that belongs to it.
func FuzzReader(f *testing.F) {
	whole := write(f, small())
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(bytes.Replace(whole, []byte(`"rows":3`), []byte(`"rows":2`), 1))
	f.Add(write(f, &memory{}))
	f.Add([]byte("keysake backup 1\n{\"format\":1}\n"))
	f.Add([]byte("keysake backup 2\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := open(t.Context(), b); err != nil {
			assertRefused(t, "as it is", err)
		}
		body := string(b)
		if i := strings.LastIndex(body, "{\"sha256\""); i >= 0 {
			body = body[:i]
		}
		file, err := open(t.Context(), sign(body))
		if err != nil {
			assertRefused(t, "signed", err)
			return
		}
		again := write(t, read(t, file)) // what was taken can be written, and taken again
		if _, err := open(t.Context(), again); err != nil {
			t.Error(err)
		}
	})
}

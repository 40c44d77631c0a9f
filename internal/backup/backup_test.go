package backup_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/backup"
)

var sameRows = cmp.Options{cmp.AllowUnexported(rows{}), cmpopts.EquateEmpty()}

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
		m.Rows.AuditEntries != 2 ||
		m.Heads.Chains != 2 ||
		m.Heads.Instance != (backup.Head{Seq: 1, Hash: backup.Digest{1}}) {
		t.Errorf("the manifest is %+v", m)
	}
	if again := write(t, f); !bytes.Equal(b, again) {
		t.Error("a backup of a backup is another one")
	}
}

func TestTheSampleSetsEveryMember(t *testing.T) {
	s := sample()
	for _, v := range []any{
		s.roots[0], s.instance[0], s.users[0], s.keys[0], s.apiKeys[0], s.secrets[0], s.versions[0], s.entries[1],
	} {
		value := reflect.ValueOf(v)
		for i := range value.NumField() {
			if value.Field(i).IsZero() {
				t.Errorf("%T: %s is not set", v, value.Type().Field(i).Name)
			}
		}
	}
}

func TestAnyRowsComeBack(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := anyRows(r)
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
	backup.ErrNotBackup,
	backup.ErrNewer,
	backup.ErrCutShort,
	backup.ErrDigest,
	backup.ErrContents,
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
	src := sample()
	src.secrets[0].SealedValue = []byte("sealed")
	b := write(t, src)
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

// sign gives a body the trailer that belongs to it, as somebody could who makes a backup of his
// own.
func sign(body string) []byte {
	return fmt.Appendf(nil, "%s{\"sha256\":\"%x\"}\n", body, sha256.Sum256([]byte(body)))
}

func TestWhatTheManifestDoesNotSayIsRefusedThoughTheDigestIsRight(t *testing.T) {
	src := sample()
	src.secrets[0].SealedValue = []byte("sealed")
	body, _, _ := strings.Cut(string(write(t, src)), "\n{\"sha256\"")
	body += "\n"
	if _, err := open(t.Context(), sign(body)); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(body, "\n")
	without := func(i int) string {
		return strings.Join(append(append([]string(nil), lines[:i]...), lines[i+1:]...), "")
	}
	for what, changed := range map[string]string{
		"a row less":          without(3),
		"the last row less":   without(len(lines) - 2),
		"no manifest":         without(1),
		"only the magic line": lines[0],
		"a row more":          body + lines[len(lines)-2],
		"rows in another order": strings.Join(
			append(
				append([]string(nil), lines[:2]...),
				append([]string{lines[3], lines[2]}, lines[4:]...)...,
			),
			"",
		),
		"a row twice": strings.Replace(
			strings.Replace(body, lines[2], lines[3], 1), lines[3], lines[3], 1,
		),
		"a negative count": strings.Replace(body, `"api_keys":1`, `"api_keys":-1`, 1),
		"a count beyond all": strings.Replace(
			body, `"audit_entries":2`, `"audit_entries":9223372036854775807`, 1,
		),
		"a member nobody knows": strings.Replace(
			body, `"username":"mia"`, `"username":"mia","extra":1`, 1,
		),
		"a member twice": strings.Replace(
			body, `"username":"mia"`, `"username":"mia","username":"eve"`, 1,
		),
		"a member in capitals": strings.Replace(
			body, `"username":"mia"`, `"Username":"mia"`, 1,
		),
		"another table": strings.Replace(
			body, `{"table":"api_keys"`, `{"table":"owner_keys"`, 1,
		),
		"a short hash": strings.Replace(body, `"audit_hash":"02`, `"audit_hash":"`, 1),
		"another end of a chain": strings.Replace(
			body, `"audit_hash":"02`, `"audit_hash":"03`, 1,
		),
		"bytes that are no text": strings.Replace(body, `"mia"`, "\"m\xff\"", 1),
		"another format inside":  strings.Replace(body, `{"format":1`, `{"format":2`, 1),
		"no schema":              strings.Replace(body, `"schema":1`, `"schema":0`, 1),
		"a line longer than any": strings.Replace(
			body, `"mia"`, `"`+strings.Repeat("m", 2<<20)+`"`, 1,
		),
		"a line that has no end":   strings.TrimSuffix(body, "\n"),
		"an empty line":            strings.Replace(body, "\n", "\n\n", 1),
		"a time that is no number": strings.Replace(body, `"created_at":3`, `"created_at":"3"`, 1),
	} {
		if changed == body {
			t.Fatalf("%s: nothing was changed", what)
		}
		_, err := open(t.Context(), sign(changed))
		if !errors.Is(err, backup.ErrContents) && !errors.Is(err, backup.ErrCutShort) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil &&
			(strings.Contains(err.Error(), "mia") || strings.Contains(err.Error(), "eve")) {
			t.Errorf("%s: the message shows a row: %v", what, err)
		}
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	for what, change := range map[string]func(*rows){
		"text that is not UTF-8": func(r *rows) { r.users[0].Username = "canary\xff" },
		"a row that is too long": func(r *rows) {
			r.secrets[0].SealedValue = make([]byte, 1<<20)
		},
		"rows that are not ordered": func(r *rows) {
			r.entries[0], r.entries[1] = r.entries[1], r.entries[0]
		},
		"a row twice": func(r *rows) { r.keys = append(r.keys, r.keys[0]) },
	} {
		src := sample()
		change(src)
		_, _, err := backup.Write(t.Context(), io.Discard, src, 1, time.Now())
		if err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", what, err)
		}
	}
	counted := miscounted{sample()}
	if _, _, err := backup.Write(t.Context(), io.Discard, counted, 1, time.Now()); err == nil {
		t.Error("a source that counts one row too many was written")
	}
	full := errors.New("no space left on device")
	if _, _, err := backup.Write(
		t.Context(),
		failing{full},
		sample(),
		1,
		time.Now(),
	); !errors.Is(
		err,
		full,
	) {
		t.Errorf("a full disk: %v", err)
	}
}

type miscounted struct{ *rows }

func (m miscounted) Count(ctx context.Context) (backup.Count, error) {
	n, err := m.rows.Count(ctx)
	n.Secrets++
	return n, err
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestAReadThatIsGivenUpEnds(t *testing.T) {
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
	for _, err := range f.Users(ctx) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("users: %v", err)
		}
	}
}

// FuzzReader gives the reader anything, once as it is, and once with the digest that belongs to it.
func FuzzReader(f *testing.F) {
	src := sample()
	src.secrets[0].SealedValue = []byte("sealed")
	whole := write(f, src)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add(bytes.Replace(whole, []byte(`"users":2`), []byte(`"users":3`), 1))
	f.Add(write(f, &rows{}))
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

package redact_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/redact"
	"github.com/keysake/keysake/plaintext"
)

func masksOf(values ...string) *redact.Masks {
	var secrets []redact.Secret
	for i, v := range values {
		secrets = append(secrets, redact.Secret{Value: plaintext.FromString(v), Mask: mark(i)})
	}
	return redact.New(secrets)
}

// mark is the mask of the value with this index. No value in these tests has any of its characters.
func mark(i int) string { return fmt.Sprintf("‹%d›", i) }

// masked returns the text with the values masked, after writing it in these pieces.
func masked(t interface{ Fatal(...any) }, m *redact.Masks, pieces ...string) string {
	var out bytes.Buffer
	w := m.Writer(&out)
	for _, p := range pieces {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestAValueIsReplacedByItsMask(t *testing.T) {
	long := strings.Repeat("0123456789", 2_000)
	for _, c := range []struct {
		name   string
		values []string
		text   string
		want   string
	}{
		{"nothing to mask", nil, "plain", "plain"},
		{"alone", []string{"correct-horse"}, "correct-horse", "‹0›"},
		{"among others", []string{"correct-horse"}, "a correct-horse\nb", "a ‹0›\nb"},
		{"twice in a row", []string{"abcdefgh"}, "abcdefghabcdefgh", "‹0›‹0›"},
		{"after its own beginning", []string{"ababababc"}, "abababababc", "ab‹0›"},
		{"shorter than 8 characters", []string{"hunter2", "äöüäöü"}, "hunter2 äöüäöü", "hunter2 äöüäöü"},
		{"one inside another", []string{"password", "db://u:password@h"}, "db://u:password@h password", "‹1› ‹0›"},
		{"one inside another that breaks off", []string{"password", "db://u:password@h"}, "db://u:password!", "db://u:‹0›!"},
		{"two inside another that breaks off", []string{"aaaaaaaa", "bbbbbbbb", "aaaaaaaa-bbbbbbbb-c"}, "aaaaaaaa-bbbbbbbb-d", "‹0›-‹1›-d"},
		{"one begins with another", []string{"password", "password-2"}, "password-1 password-2", "‹0›-1 ‹1›"},
		{"two that overlap", []string{"abcdefgh", "efghijkl"}, "-abcdefghijkl-", "-‹0›‹1›-"},
		{"three that overlap", []string{"abcdefgh", "efghijkl", "ijklmnop"}, "abcdefghijklmnop", "‹0›‹1›‹2›"},
		{"the same value twice", []string{"abcdefgh", "abcdefgh"}, "abcdefgh", "‹0›"},
		{"longer than any form is kept for", []string{long}, "a" + long + "b", "a‹0›b"},
		{"without its last line ending", []string{"line one\nline two\n"}, "line one\nline two ", "‹0› "},
		{"through a terminal", []string{"line one\nline two"}, "line one\r\nline two", "‹0›"},
		{"at the end, half", []string{"abcdefgh"}, "abcdefg", "abcdefg"},
	} {
		m := masksOf(c.values...)
		if got := masked(t, m, c.text); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if got := masked(t, m, strings.Split(c.text, "")...); got != c.want {
			t.Errorf("%s, character by character: %q, want %q", c.name, got, c.want)
		}
		if m.Empty() != (c.want == c.text && c.name != "at the end, half") {
			t.Errorf("%s: Empty is %t", c.name, m.Empty())
		}
	}
}

func TestAValueIsFoundInTheFormsThatOtherFormatsGiveIt(t *testing.T) {
	const value = "p/ä ss\"w\\o<r>d\n+?&😀\x7f~"
	m := masksOf(value)
	for name, text := range map[string]string{
		"query":           url.QueryEscape(value),
		"path":            url.PathEscape(value),
		"user":            url.UserPassword("u", value).String(),
		"query, lower":    strings.ToLower(url.QueryEscape(value)),
		"JavaScript":      "p%2F%C3%A4%20ss%22w%5Co%3Cr%3Ed%0A%2B%3F%26%F0%9F%98%80%7F~",
		"Python quote":    "p/%C3%A4%20ss%22w%5Co%3Cr%3Ed%0A%2B%3F%26%F0%9F%98%80%7F~",
		"JSON of Go":      string(must(json.Marshal(value))),
		"JSON of Python":  `p/\u00e4 ss\"w\\o<r>d\n+?&\ud83d\ude00\u007f~`,
		"JSON of Node.js": `p/ä ss\"w\\o<r>d\n+?&😀` + "\x7f~",
		"JSON of PHP":     `p\/\u00e4 ss\"w\\o<r>d\n+?&\ud83d\ude00\u007f~`,
	} {
		got := masked(t, m, "a="+text)
		if !strings.Contains(got, mark(0)) || strings.Contains(got, "ss") {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func must[T any](v T, _ error) T { return v }

// In base64 the characters at the ends of a value have bits of its neighbours too. At most one at
// each end may stay.
func TestAValueIsFoundInBase64AtEveryAlignment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringN(8, 40, -1).Draw(t, "value")
		before := rapid.SliceOfN(rapid.Byte(), 0, 7).Draw(t, "before")
		after := rapid.SliceOfN(rapid.Byte(), 0, 7).Draw(t, "after")
		alphabet := rapid.SampledFrom([]*base64.Encoding{
			base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding,
		}).Draw(t, "alphabet")
		text := alphabet.EncodeToString(slices.Concat(before, []byte(value), after))
		got := masked(t, masksOf(value), text)
		head, tail, found := strings.Cut(got, mark(0))
		if !found || len(head) > (len(before)*8+5)/6 || len(tail) > 1+(len(after)*8+5)/6+2 {
			t.Fatalf("%q became %q", text, got)
		}
	})
}

// The usual tools break long lines of base64.
func TestAValueIsFoundInBase64OfSeveralLines(t *testing.T) {
	value := strings.Repeat("correct-horse-battery-staple ", 9)
	m := masksOf(value, "password")
	for _, c := range []struct {
		before, after string
		columns       int
		ending        string
	}{
		{"", "", 76, "\n"},
		{"", "\n", 64, "\n"},
		{"user:", "", 76, "\r\n"},
		{"a text of some length before it: ", " and after it", 64, "\r\n"},
	} {
		encoded := base64.StdEncoding.EncodeToString([]byte(c.before + value + c.after))
		var lines []string
		for line := range slices.Chunk([]byte(encoded), c.columns) {
			lines = append(lines, string(line))
		}
		text := "password\n" + strings.Join(lines, c.ending) + c.ending + "password\n"
		got := masked(t, m, text)
		if n := len(c.before) + len(c.after); len(got) > len("‹1›‹0›‹1›\n\n\r\n")+2*n+4 ||
			strings.Count(got, mark(0)) != 1 || strings.Count(got, mark(1)) != 2 {
			t.Errorf("%q, %q: it became %q", c.before, c.after, got)
		}
		if pieces := masked(t, m, strings.Split(text, "")...); pieces != got {
			t.Errorf("in pieces it became %q, and whole %q", pieces, got)
		}
	}
}

func TestAFinderFindsBase64WhereverItsLineIsBroken(t *testing.T) {
	value := "correct-horse-battery-staple"
	m := masksOf(value)
	encoded := base64.StdEncoding.EncodeToString([]byte("ab" + value + "c"))
	for at := range encoded {
		for _, ending := range []string{"\n", "\r\n"} {
			text := "text " + encoded[:at] + ending + encoded[at:]
			for _, size := range []int{1, 7, len(text)} {
				f, found := m.Finder(), false
				for piece := range slices.Chunk([]byte(text), size) {
					_, now := f.Next(piece)
					found = found || now
				}
				if !found {
					t.Errorf("%q in pieces of %d has no value", text, size)
				}
			}
		}
	}
}

// small draws a short text of few different letters, so that values overlap, repeat and break off.
func small(least, most int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.RuneFrom([]rune("ab")), least, most, -1)
}

func TestMaskedOutputIsThatOfAPlainSearchHoweverItIsCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(small(8, 12), 1, 4).Draw(t, "values")
		pieces := rapid.SliceOfN(rapid.OneOf(small(0, 20), rapid.SampledFrom(values)), 0, 8).
			Draw(t, "pieces")
		text := strings.Join(pieces, "")
		got := masked(t, masksOf(values...), pieces...)
		if want := search(text, values); got != want {
			t.Fatalf("%q became %q, want %q", text, got, want)
		}
		if whole := masked(t, masksOf(values...), text); whole != got {
			t.Fatalf("%q became %q whole and %q in pieces", text, whole, got)
		}
	})
}

// search masks a text by looking at all of it: it drops every occurrence inside another one, and
// writes a mask for each of the rest.
func search(text string, values []string) string {
	type span struct{ start, end, value int }
	var all []span
	for start := range len(text) {
		longest := span{}
		for i, v := range values {
			if strings.HasPrefix(text[start:], v) && start+len(v) > longest.end {
				longest = span{start, start + len(v), slices.Index(values, values[i])}
			}
		}
		if longest.end > 0 && (len(all) == 0 || longest.end > all[len(all)-1].end) {
			all = append(all, longest)
		}
	}
	var b strings.Builder
	done := 0
	for _, s := range all {
		if s.start > done {
			b.WriteString(text[done:s.start])
		}
		b.WriteString(mark(s.value))
		done = s.end
	}
	return b.String() + text[done:]
}

func TestMasksUndoneGiveTheOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Values that begin with a letter which is in none of them again do not overlap.
		values := rapid.SliceOfNDistinct(rapid.StringMatching(`#[a-c\n"$😀-]{7,30}`), 1, 5,
			func(s string) string { return s }).Draw(t, "values")
		filler := rapid.StringOfN(rapid.RuneFrom([]rune("#abc\n\"$")), 0, 30, -1)
		pieces := rapid.SliceOfN(rapid.OneOf(filler, rapid.SampledFrom(values)), 0, 20).
			Draw(t, "pieces")
		got := masked(t, masksOf(values...), pieces...)
		for i, v := range values {
			// The JSON form of a value, and one without its line endings, has the same mask.
			if strings.ContainsAny(v, "\n\"") {
				return
			}
			if strings.Contains(got, v) {
				t.Fatalf("value %d is in the output %q", i, got)
			}
			got = strings.ReplaceAll(got, mark(i), v)
		}
		if want := strings.Join(pieces, ""); got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	})
}

func TestOnlyWhatMayBeginAValueIsHeldBack(t *testing.T) {
	var out bytes.Buffer
	w := masksOf("secret-value", "value-of-two").Writer(&out)
	for _, step := range []struct{ write, want string }{
		{"Password: ", "Password: "},
		{"sec", ""},
		{"ond\nse", "second\n"},
		{"secret-", "se"},
		{"value", "‹0›"}, // what follows may still be the end of the second
		{" x", " x"},
		{"a line c2Vj\n", "a line c2Vj\n"}, // not held back for a few characters of base64
		{"s", ""},
	} {
		out.Reset()
		_, _ = io.WriteString(w, step.write)
		if out.String() != step.want {
			t.Errorf("after %q: %q, want %q", step.write, out.String(), step.want)
		}
	}
	out.Reset()
	if err := w.Close(); err != nil || out.String() != "s" {
		t.Errorf("at the end: %q, %v", out.String(), err)
	}
}

func TestAWriteThatFailsIsReported(t *testing.T) {
	broken := errors.New("broken pipe")
	w := masksOf("secret-value").Writer(iotest.TruncateWriter(io.Discard, 0))
	if _, err := io.WriteString(w, "plain"); err != nil {
		t.Fatal(err)
	}
	w = masksOf("secret-value").Writer(failing{broken})
	if _, err := io.WriteString(w, "plain"); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	if _, err := io.WriteString(w, "secret"); err != nil {
		t.Errorf("error %v", err)
	}
	if err := w.Close(); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }

func FuzzWriter(f *testing.F) {
	f.Add("secret-value", "value-of-two", "a secret-value-of-two b", uint8(3))
	f.Add("aaaaaaaa", "aaaaaaaab", "aaaaaaaaaaaaaaaab", uint8(1))
	f.Fuzz(func(t *testing.T, one, two, text string, size uint8) {
		if strings.ContainsAny(one+two+text, mark(0)+mark(1)) {
			t.Skip()
		}
		m := masksOf(one, two)
		whole := masked(t, m, text)
		var pieces []string
		for chunk := range slices.Chunk([]byte(text), int(size)+1) {
			pieces = append(pieces, string(chunk))
		}
		if got := masked(t, m, pieces...); got != whole {
			t.Fatal(cmp.Diff(whole, got))
		}
		for _, v := range []string{one, two} {
			if len([]rune(v)) >= redact.MinLength && strings.Contains(whole, v) {
				t.Fatalf("%q has %q", whole, v)
			}
		}
	})
}

func BenchmarkWriter(b *testing.B) {
	var values []string
	for i := range 50 {
		values = append(values, fmt.Sprintf("sk-proj-%02d-%s", i, strings.Repeat("x", 40)))
	}
	w := masksOf(values...).Writer(io.Discard)
	line := []byte(strings.Repeat("a line of a log with sk-proj- in it, of 64 bytes or so\n", 500))
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		_, _ = w.Write(line)
	}
}

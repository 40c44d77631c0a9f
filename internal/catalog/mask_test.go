package catalog_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

const bullets = "\u2022\u2022\u2022\u2022"

func mask(s string) string { return catalog.Mask(plaintext.FromString(s)) }

func TestAMaskShowsSixCharactersAndThree(t *testing.T) {
	for _, row := range []struct{ value, want string }{
		{"sk-proj-" + strings.Repeat("x", 40) + "789", "sk-pro" + bullets + "789"},
		{"123456" + strings.Repeat("x", 16) + "789", "123456" + bullets + "789"},
		{"123456" + strings.Repeat("x", 65527) + "789", "123456" + bullets + "789"},
		{"äöüßéñ" + strings.Repeat("x", 16) + "日本語", "äöüßéñ" + bullets + "日本語"},
		{"\x00\n\x1b[2J" + strings.Repeat("x", 16) + "\u202ea\u0301", "\x00\n\x1b[2J" + bullets + "\u202ea\u0301"},
		{"\ufffd" + strings.Repeat("x", 24), "\ufffdxxxxx" + bullets + "xxx"},
	} {
		if got := mask(row.value); got != row.want {
			t.Errorf("got %q, want %q", got, row.want)
		}
	}
}

func TestAMaskOfAShortValueShowsNothing(t *testing.T) {
	for n := range 25 {
		for _, character := range []string{"x", "é", "日", "😀"} {
			if got := mask(strings.Repeat(character, n)); got != bullets {
				t.Errorf("%d characters of %d bytes: got %q", n, len(character), got)
			}
		}
	}
}

func TestAMaskOfWhatIsNoTextShowsNothing(t *testing.T) {
	for _, value := range []string{
		strings.Repeat("\xff", 100), strings.Repeat("x", 100) + "\xff",
		"\xc3" + strings.Repeat("x", 100),
		strings.Repeat("x", 50) + "\xed\xa0\x80" + strings.Repeat("x", 50),
	} {
		if got := mask(value); got != bullets {
			t.Errorf("%q: got %q", value, got)
		}
	}
	if got := catalog.Mask(plaintext.Value{}); got != bullets {
		t.Errorf("the zero value: got %q", got)
	}
}

func TestAMaskKeepsThePromiseForEveryText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.StringN(0, 80, -1).Draw(t, "value")
		if err := maskPromise(value, mask(value)); err != "" {
			t.Fatal(err)
		}
	})
}

func TestAMaskTellsNothingOfWhatItHides(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		head := rapid.StringN(6, 6, -1).Draw(t, "head")
		tail := rapid.StringN(3, 3, -1).Draw(t, "tail")
		one := rapid.StringN(16, 80, -1).Draw(t, "one")
		two := rapid.StringN(16, 80, -1).Draw(t, "two")
		if mask(head+one+tail) != mask(head+two+tail) {
			t.Fatal("two values that differ in the middle only have different masks")
		}
	})
}

// maskPromise holds a mask against the contract, without the code that made it; it returns what is
// wrong.
func maskPromise(value, masked string) string {
	if masked == bullets {
		if utf8.ValidString(value) && utf8.RuneCountInString(value) >= 25 {
			return "a long value shows nothing"
		}
		return ""
	}
	shown, all := []rune(masked), []rune(value)
	switch {
	case !utf8.ValidString(value):
		return "something is shown of what is no text"
	case len(shown) != 13 || string(shown[6:10]) != bullets:
		return "the mask has not the form of six, four bullets and three"
	case len(all)-9 < 16:
		return "fewer than 16 characters are hidden"
	case string(shown[:6]) != string(all[:6]) || string(shown[10:]) != string(all[len(all)-3:]):
		return "the ends are not those of the value"
	}
	return ""
}

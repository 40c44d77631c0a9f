package dotenv_test

import (
	"errors"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/dotenv"
)

// read returns the variables as LINE:NAME=VALUE.
func read(text string) ([]string, error) {
	pairs, err := dotenv.Parse([]byte(text))
	var all []string
	for _, p := range pairs {
		all = append(all, strconv.Itoa(p.Line)+":"+p.Name+"="+string(p.Value.Reveal()))
	}
	return all, err
}

func TestAFileIsReadAsPeopleWriteIt(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"nothing", "", nil},
		{"comments and empty lines", "# a\n\n \t\n  # b\n", nil},
		{"plain", "A=1\nB=2", []string{"1:A=1", "2:B=2"}},
		{"white space", "  A = some words \t\nB=\t2", []string{"1:A=some words", "2:B=2"}},
		{"export", "export A=1\nexport\tB=2\nexported=3\nexport=4", []string{"1:A=1", "2:B=2", "3:exported=3", "4:export=4"}},
		{"comment after", "A=a#b #c\nB=#c\nC= # c\nD='#' # c\nE=a # b # c", []string{"1:A=a#b", "2:B=", "3:C=", "4:D=#", "5:E=a"}},
		{"empty", "A=\nB=''\nC=\"\"", []string{"1:A=", "2:B=", "3:C="}},
		{"equals signs", "A=b=c==", []string{"1:A=b=c=="}},
		{"single quotes", `A=' $B \n "x" '`, []string{`1:A= $B \n "x" `}},
		{"double quotes", `A="a\nb\r\t\"\\\$\` + "`" + `\x'"`, []string{"1:A=a\nb\r\t\"\\$`\\x'"}},
		{"backticks", "A=`'\"\\n`", []string{`1:A='"\n`}},
		{"quotes inside", `A=it's "so"`, []string{`1:A=it's "so"`}},
		{"lines", "A='one\ntwo'\nB=\"one\n\n# two\"\nC=3", []string{"1:A=one\ntwo", "3:B=one\n\n# two", "6:C=3"}},
		{"dollars", "A=$B${C}$(D)", []string{"1:A=$B${C}$(D)"}},
		{"windows", "\ufeffA=1\r\nB='one\r\ntwo'\r\n", []string{"1:A=1", "2:B=one\ntwo"}},
		{"a lone \\r", "A='\r'\nB=a\rb", []string{"1:A=\r", "2:B=a\rb"}},
		{"twice", "A=1\nA=2", []string{"1:A=1", "2:A=2"}},
	} {
		got, err := read(c.text)
		if err != nil || !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v %s", c.name, err, cmp.Diff(c.want, got))
		}
	}
}

func TestAnErrorHasItsLineAndQuotesNothing(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\nhidden":            "line 2: there is no = in it",
		"A=1\n\n1hidden=2":       "line 3: what is before the = is not the name of a variable",
		"=hidden":                "line 1: what is before the = is not the name of a variable",
		"export hidden x=1":      "line 1: what is before the = is not the name of a variable",
		"A='hidden":              "line 1: a quote is not closed",
		"A='hidden\nB=1":         "line 1: a quote is not closed",
		"A=\"hidden\\\"":         "line 1: a quote is not closed",
		"A='one\ntwo' hidden":    "line 2: something follows the closing quote",
		"B='one\ntwo'\nC=\"x\"y": "line 3: something follows the closing quote",
	} {
		got, err := read(text)
		var fault *dotenv.Error
		if !errors.As(err, &fault) || err.Error() != want || got != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func TestWhatIsQuotedComesBack(t *testing.T) {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "`", "\\`", "\r", `\r`)
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOf(rapid.String()).Draw(t, "values")
		var file strings.Builder
		line, want := 1, []string(nil)
		for _, v := range values {
			want = append(want, strconv.Itoa(line)+":A="+v)
			file.WriteString(`A="` + escape.Replace(v) + "\"\n")
			line += 1 + strings.Count(v, "\n")
		}
		got, err := read(file.String())
		if err != nil || !cmp.Equal(got, want) {
			t.Fatal(err, cmp.Diff(want, got))
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("A=1\nexport B='2'\nC=\"\\n\" # c\n")
	f.Fuzz(func(t *testing.T, text string) {
		pairs, err := dotenv.Parse([]byte(text))
		if err != nil && pairs != nil {
			t.Fatal("an error, and variables")
		}
		for i, p := range pairs {
			if p.Name == "" || p.Line < 1 || i > 0 && p.Line <= pairs[i-1].Line ||
				!strings.Contains(text, p.Name) {
				t.Fatalf("%+v", p)
			}
		}
	})
}

package environ_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/environ"
	"github.com/keysake/keysake/plaintext"
)

func names(m map[string]string, prefix string) environ.Names {
	return environ.Names{
		Map: m, Prefix: prefix,
		Aliases: func(name string) []string {
			return map[string][]string{
				"GITHUB_TOKEN": {"GH_TOKEN"}, "ONE": {"SAME"}, "TWO": {"SAME"},
			}[name]
		},
		Check: func(name string) error {
			if name == "PATH" {
				return errors.New("reserved")
			}
			return nil
		},
	}
}

func TestSecretsBecomeVariables(t *testing.T) {
	for _, c := range []struct {
		name    string
		names   environ.Names
		secrets string
		want    string // VARIABLE=SECRET
	}{
		{"by their names", names(nil, ""), "B A", "A=A B=B"},
		{"with an alias", names(nil, ""), "GITHUB_TOKEN", "GH_TOKEN=GITHUB_TOKEN GITHUB_TOKEN=GITHUB_TOKEN"},
		{"with an alias that is a secret", names(nil, ""), "GITHUB_TOKEN GH_TOKEN", "GH_TOKEN=GH_TOKEN GITHUB_TOKEN=GITHUB_TOKEN"},
		{"with an alias of two", names(nil, ""), "ONE TWO", "ONE=ONE TWO=TWO"},
		{"without aliases", environ.Names{}, "GITHUB_TOKEN", "GITHUB_TOKEN=GITHUB_TOKEN"},
		{"renamed", names(map[string]string{"GITHUB_TOKEN": "T"}, ""), "GITHUB_TOKEN A", "A=A T=GITHUB_TOKEN"},
		{"swapped", names(map[string]string{"A": "B", "B": "A"}, ""), "A B", "A=B B=A"},
		{"prefixed", names(map[string]string{"A": "X"}, "P_"), "GITHUB_TOKEN A", "P_GITHUB_TOKEN=GITHUB_TOKEN X=A"},
	} {
		variables, err := c.names.Variables(strings.Fields(c.secrets))
		var got []string
		for _, v := range variables {
			got = append(got, v.Name+"="+v.Secret)
		}
		if err != nil || strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, %q, want %q", c.name, err, got, c.want)
		}
	}
}

func TestNamesThatCannotBeAreRefused(t *testing.T) {
	for want, n := range map[string]environ.Names{
		"--map: C is not among the chosen secrets":     names(map[string]string{"C": "X"}, ""),
		"A and B would both become B":                  names(map[string]string{"A": "B"}, ""),
		"A cannot become another variable: reserved":   names(map[string]string{"A": "PATH"}, ""),
		"ATH cannot become another variable: reserved": names(nil, "P"),
	} {
		secrets := []string{"A", "B"}
		if strings.HasPrefix(want, "ATH") {
			secrets = []string{"ATH"}
		}
		if got, err := n.Variables(secrets); err == nil || err.Error() != want {
			t.Errorf("%v and %v, want %q", got, err, want)
		}
	}
}

func settings(pairs ...string) []environ.Setting {
	var all []environ.Setting
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, environ.Setting{Name: pairs[i], Value: plaintext.FromString(pairs[i+1])})
	}
	return all
}

func TestAnEnvironmentIsReplacedKeptOrEmptied(t *testing.T) {
	base := []string{
		"PATH=/bin", "A=old", "B=", "A=older", "KEYSAKE_TICKET=x", "=C:=odd", "odd", "LC_ALL=C",
	}
	for _, c := range []struct {
		name      string
		from      environ.Environment
		want, had []string
	}{
		{
			"replaced",
			environ.Environment{Base: base, Remove: []string{"KEYSAKE_TICKET"}},
			[]string{"PATH=/bin", "=C:=odd", "odd", "LC_ALL=C", "A=new", "B=", "C=more\n=x"},
			[]string{"A"},
		},
		{
			"kept",
			environ.Environment{Base: base, Keep: true},
			slices.Concat(base, []string{"C=more\n=x"}),
			[]string{"A"},
		},
		{
			"clean",
			environ.Environment{Base: base, Clean: true},
			[]string{"PATH=/bin", "LC_ALL=C", "A=new", "B=", "C=more\n=x"},
			nil,
		},
	} {
		got, had, err := c.from.With(settings("A", "new", "B", "", "C", "more\n=x"))
		if err != nil || !cmp.Equal(got, c.want) || !cmp.Equal(had, c.had) {
			t.Errorf("%s: %v, %q %s", c.name, err, had, cmp.Diff(c.want, got))
		}
	}
	_, _, err := environ.Environment{}.With(settings("A", "hid\x00den"))
	if err == nil || !strings.HasPrefix(err.Error(), "A has a NUL byte") ||
		strings.Contains(err.Error(), "hid") {
		t.Errorf("error %v", err)
	}
}

func TestEveryValueArrivesAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[A-Z_]{1,6}`)
		value := rapid.StringOf(rapid.Rune().Filter(func(r rune) bool { return r != 0 }))
		want := rapid.MapOf(name, value).Draw(t, "settings")
		base := rapid.MapOf(name, value).Draw(t, "base")
		var from environ.Environment
		for k, v := range base {
			from.Base = append(from.Base, k+"="+v)
		}
		var set []environ.Setting
		for k, v := range want {
			set = append(set, settings(k, v)...)
		}
		env, _, err := from.With(set)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, entry := range env {
			k, v, _ := strings.Cut(entry, "=")
			if _, twice := got[k]; twice {
				t.Fatalf("%s is there twice", k)
			}
			got[k] = v
		}
		maps.Copy(base, want)
		if !cmp.Equal(got, base) {
			t.Fatal(cmp.Diff(base, got))
		}
	})
}

func TestATemplateIsFilled(t *testing.T) {
	value := func(name string) plaintext.Value { return plaintext.FromString("<keysake://" + name + ">") }
	for text, want := range map[string]string{
		"":                             "",
		"plain $A":                     "plain $A",
		"keysake://A":                  "<keysake://A>",
		"db://u:keysake://PASS_2@host": "db://u:<keysake://PASS_2>@host",
		"keysake://Akeysake://B":       "<keysake://Akeysake>://B",
		"keysake://A.keysake://B":      "<keysake://A>.<keysake://B>",
		"keysake://":                   "keysake://",
		"keysake://keysake://A":        "<keysake://keysake>://A",
		"keysake:// keysake://1A":      "keysake:// keysake://1A",
	} {
		if got := environ.NewTemplate(text).Fill(value); string(got.Reveal()) != want {
			t.Errorf("%q became %q, want %q", text, got.Reveal(), want)
		}
	}
	got := environ.NewTemplate("keysake://B keysake://A keysake://B").Secrets()
	if want := []string{"B", "A"}; !cmp.Equal(got, want) {
		t.Errorf("it refers to %q", got)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add("db://u:keysake://PASS_2@host")
	f.Fuzz(func(t *testing.T, text string) {
		made := environ.NewTemplate(text)
		back := made.Fill(func(name string) plaintext.Value {
			if !slices.Contains(made.Secrets(), name) {
				t.Fatalf("%q is not among its secrets", name)
			}
			return plaintext.FromString(environ.Scheme + name)
		})
		if string(back.Reveal()) != text {
			t.Fatalf("%q became %q", text, back.Reveal())
		}
	})
}

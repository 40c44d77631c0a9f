package vault_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/policy"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// importOf makes an import of secrets with values of one letter: "A=a B=b".
func importOf(text string, replace bool) vault.Import {
	var all []vault.SecretRequest
	for pair := range strings.FieldsSeq(text) {
		name, l, _ := strings.Cut(pair, "=")
		all = append(all, custom(name, letter(l)))
	}
	return must(vault.NewImport(all, replace))
}

// beside makes an import of a good secret and this one.
func beside(one vault.SecretRequest) vault.Import {
	return must(vault.NewImport([]vault.SecretRequest{custom("A", letter("a")), one}, false))
}

func (p *fixture) imports(text string, replace bool) ([]vault.Secret, error) {
	return p.ImportSecrets(p.t.Context(), p.admin, importOf(text, replace))
}

func TestAnImportStoresAllInOneChange(t *testing.T) {
	p := start(t)
	var made []vault.Secret
	entries := p.newEntries(p.admin.User, func() {
		var err error
		made, err = p.imports("B=b A=a C=c", false)
		p.must(err)
	})
	var want []audit.Entry
	for _, s := range made {
		want = append(want, done(p.admin.User, p.admin, policy.SecretImport, s.ID, s.Name, 1))
		p.assertOpens(p.admin, s.ID, letter(strings.ToLower(s.Name)))
	}
	p.assertEntries(entries, want...)
	if diff := cmp.Diff([]string{"A", "B", "C"}, p.names(p.admin)); diff != "" ||
		made[0].Name != "B" {
		t.Errorf("%s: %+v", diff, made)
	}
	p.restart()
	p.assertChain(p.admin.User)
}

func TestAnImportThatReplacesMakesVersionsAndLeavesWhatIsTheSame(t *testing.T) {
	p := start(t)
	a, b := p.values("A", "a"), p.values("B", "b")
	made, err := p.imports("A=x B=b C=c", true)
	p.must(err)
	if made[0].ID != a || made[1].ID != b {
		t.Errorf("%+v", made)
	}
	p.assertSeen(a, "*2x 1a")
	p.assertSeen(b, "*1b")
	p.assertSeen(made[2].ID, "*1c")
}

// The last one is at fault, so that all before it would be stored by anything that stores one after
// the other.
func TestAnImportThatFailsStoresNothing(t *testing.T) {
	p := startWith(t, 4, 5)
	p.values("TAKEN", "t")
	for what, c := range map[string]struct {
		in   vault.Import
		want vault.Kind
	}{
		"a name that is taken":     {importOf("A=a B=b TAKEN=x", false), vault.Conflict},
		"more than the quota":      {importOf("A=a B=b C=c D=d", false), vault.Denied},
		"more than it, replacing":  {importOf("TAKEN=x A=a B=b C=c D=d", true), vault.Denied},
		"the zero import":          {vault.Import{}, vault.Invalid},
		"an unknown provider":      {beside(ofProvider("B", "nobody", value("b"))), vault.Invalid},
		"a bad paste for a preset": {beside(ofProvider("OPENAI_API_KEY", "openai", value("a b"))), vault.Invalid},
		"a zero request":           {beside(vault.SecretRequest{}), vault.Invalid},
	} {
		_, err := p.ImportSecrets(t.Context(), p.admin, c.in)
		assertKind(t, what, err, c.want)
		if names := p.names(p.admin); !slices.Equal(names, []string{"TAKEN"}) {
			t.Fatalf("%s: stored %v", what, names)
		}
	}
	_, err := p.imports("A=a TAKEN=x", false)
	assertField(t, err, "secrets.1.name", vault.GoodValue, "TAKEN")
	p.assertSeen(p.values("A", "a"), "*1a")
}

func TestAnImportHasNoNameTwiceAndNotTooManySecrets(t *testing.T) {
	_, err := vault.NewImport(
		[]vault.SecretRequest{custom("A", letter("a")), custom("A", letter("b"))}, true)
	assertField(t, err, "secrets.1.name", vault.GoodValue, "aaa")
	_, err = vault.NewImport(make([]vault.SecretRequest, 201), false)
	assertField(t, err, "secrets", vault.TooMany, "aaa")
	_, err = vault.NewImport(nil, false)
	assertField(t, err, "secrets", vault.TooShort, "aaa")
}

func TestOfImportsAtOnceOneWinsWhole(t *testing.T) {
	p := start(t)
	const n = 8
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			_, errs[i] = p.imports(fmt.Sprintf("OF_%d=a SHARED=%c", i, 'a'+i), false)
		})
	}
	all.Wait()
	won := -1
	for i, err := range errs {
		if err == nil && won < 0 {
			won = i
		} else {
			assertKind(t, "a loser", err, vault.Conflict)
		}
	}
	want := []string{fmt.Sprintf("OF_%d", won), "SHARED"}
	if diff := cmp.Diff(want, p.names(p.admin)); diff != "" {
		t.Error(diff)
	}
	p.assertChain(p.admin.User)
}

func TestAPreviewSaysWhatAnImportWouldDoAndStoresNothing(t *testing.T) {
	p := start(t)
	known := p.values("KNOWN", "k")
	variable := func(name, value string) vault.Variable {
		return vault.Variable{Name: name, Value: plaintext.FromString(value)}
	}
	seen, err := p.PreviewImport(t.Context(), p.admin, []vault.Variable{
		variable("OPENAI_API_KEY", "a-key-of-some-length"), variable("KNOWN", "another-value"),
		variable("PATH", "/bin"), variable("EMPTY", ""), variable("OPENAI_API_KEY", "a key"),
	})
	p.must(err)
	var got []string
	for _, one := range seen {
		got = append(got, fmt.Sprint(one.Name, " ", one.Provider, " ", one.Exists == known, " ",
			vault.KindOf(one.Refused) == vault.Invalid))
	}
	want := []string{
		"OPENAI_API_KEY openai false false", "KNOWN  true false", "PATH  false true",
		"EMPTY  false true", "OPENAI_API_KEY openai false true",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if names := p.names(p.admin); !slices.Equal(names, []string{"KNOWN"}) {
		t.Errorf("stored %v", names)
	}
	_, err = p.PreviewImport(t.Context(), with(p.admin, policy.SecretsRead), nil)
	assertKind(t, "without the scope", err, vault.Denied)
}

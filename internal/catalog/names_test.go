package catalog_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/catalog"
)

func TestTheNamesAreThoseOfTheCatalog(t *testing.T) {
	whole, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	names, err := catalog.LoadNames()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range whole.Presets() {
		got, found := names.Preset(want.ID)
		want.Docs, want.CreateKey, want.Category = "", "", ""
		if !found || got != want {
			t.Errorf("%s: %+v, want %+v", want.ID, got, want)
		}
	}
	if _, found := names.Preset("nobody"); found {
		t.Error("there is a preset that nobody described")
	}
	if got := names.Aliases("GITHUB_TOKEN"); !cmp.Equal(got, []string{"GH_TOKEN"}) {
		t.Errorf("GITHUB_TOKEN is also %q", got)
	}
	if got := names.Aliases("NOTHING"); len(got) != 0 {
		t.Errorf("NOTHING is also %q", got)
	}
}

func TestAVariableNamesTheProvidersWhoseProgramsReadIt(t *testing.T) {
	whole, err := catalog.Load()
	if err != nil {
		t.Fatal(err)
	}
	for variable, want := range map[string][]string{
		"OPENAI_API_KEY": {"openai"}, "GITHUB_TOKEN": {"github"}, "GH_TOKEN": {"github"},
		"OPENAI_BASE_URL": nil, "NOTHING": nil, "": nil,
	} {
		if got := whole.ProvidersOf(variable); !cmp.Equal(got, want) {
			t.Errorf("%s is of %q, want %q", variable, got, want)
		}
	}
}

func TestADomainIsAHostOrWhatIsBelowAPattern(t *testing.T) {
	e := catalog.Entry{
		Params: []catalog.Param{{ID: "region", Default: "eu", Pattern: "[a-z]+"}},
		Attach: []catalog.Attach{
			{Hosts: []string{"api.example.org", "*.example.net"}},
			{Hosts: []string{"{region}.example.com", "{unknown}.example.com"}},
		},
	}
	for region, want := range map[string]string{"us": "us", "": "eu", "U.S": "eu"} {
		got := e.DomainsWith(map[string]string{"region": region})
		if diff := cmp.Diff([]string{
			"api.example.org", "example.net", want + ".example.com",
		}, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", region, diff)
		}
	}
}

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

package presetfile_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/catalog/presetfile"
)

// acme is a preset as an operator writes one.
const acme = `schema: 1
id: acme
name: Acme
category: internal
docs: https://docs.acme.example/
confidence: high
checked: 2026-11-28
fields:
  - id: token
    label: Token
    secret: true
    required: true
    env: ACME_TOKEN
    formats:
      - id: token
        prefix: acme_
        regex: 'acme_[a-z0-9]{40}'
        distinct: true
        mask: {head: 5, tail: 4}
        examples: ['acme_{a*40}']
auth:
  bearer: {in: header, name: Authorization, value: 'Bearer {token}'}
attach:
  - hosts: [api.acme.example, other.acme.example]
    auth: bearer
    strip: {headers: [Authorization]}
client:
  placeholder: 'acme_{lease}'
verify:
  - id: me
    formats: [token, '*']
    request: {method: GET, url: 'https://api.acme.example/me', auth: bearer}
    cost: free
    rules:
      - {when: {status: [200]}, then: valid}
`

func with(files map[string]string) (*catalog.Catalog, error) {
	folder := fstest.MapFS{}
	for name, text := range files {
		if strings.HasSuffix(name, ".json") && !strings.HasPrefix(text, "{") {
			e, err := presetfile.Read([]byte(text))
			if err != nil {
				return nil, err
			}
			asJSON, err := json.Marshal(e)
			if err != nil {
				return nil, err
			}
			text = string(asJSON)
		}
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	known, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	entries, err := catalog.ReadFolder(folder)
	if err != nil {
		return nil, err
	}
	return known.With(entries)
}

func TestAnOperatorsPresetComesAfterTheOthers(t *testing.T) {
	t.Parallel()
	known, err := with(map[string]string{"acme.json": acme})
	if err != nil {
		t.Fatal(err)
	}
	presets := known.Presets()
	if last := presets[len(presets)-1]; last.ID != "acme" || last.EnvVarName != "ACME_TOKEN" ||
		presets[0].ID != "openai" {
		t.Errorf("got %+v", last)
	}
	if e, found := known.Entry("acme"); !found || !e.CanCheck() || !e.CanBroker() {
		t.Errorf("got %+v", e)
	}
}

func TestAnOperatorsPresetIsCheckedAsOursAre(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ old, new, why string }{
		"an unknown field": {"schema: 1", "schema: 1\ncolour: red", "colour"},
		"another id":       {"id: acme\n", "id: other\n", "name of the file"},
		"a POST":           {"method: GET", "method: POST", "must be GET"},
		"http":             {"url: 'https:", "url: 'http:", "https"},
		"a foreign host": {
			"https://api.acme.example/me", "https://evil.example/me", "attach[].hosts",
		},
		"an address":          {"hosts: [api.acme.example,", "hosts: [10.0.0.1,", "host name"},
		"a wildcard over all": {"other.acme.example", "'*.com'", "strangers"},
		"one over a country":  {"other.acme.example", "'*.co.uk'", "strangers"},
		"one over a host":     {"other.acme.example", "'*.github.io'", "strangers"},
		"a variable of ours":  {"ACME_TOKEN", "OPENAI_API_KEY", "that of openai"},
		"a form of ours": {
			"prefix: acme_\n        regex: 'acme_[a-z0-9]{40}'",
			"prefix: ''\n        regex: '[ -~]{36,}'", "also matches",
		},
		"a bad example":          {"acme_{a*40}", "acme_{a*4}", "does not match"},
		"an unknown recipe":      {"auth: bearer}", "auth: magic}", "magic"},
		"a placeholder of other": {"'acme_{lease}'", "'{lease}x'", "must end in"},
	} {
		text := strings.Replace(acme, c.old, c.new, 1)
		if text == acme {
			t.Fatalf("%s changes nothing", name)
		}
		if known, err := with(map[string]string{"acme.json": text}); err == nil || known != nil ||
			!strings.Contains(err.Error(), c.why) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAFolderHasPresetsAndNothingMore(t *testing.T) {
	t.Parallel()
	named := func(id string) string {
		return strings.Replace(acme, "id: acme\n", "id: "+id+"\n", 1)
	}
	ours := strings.ReplaceAll(named("openai"), "ACME_TOKEN", "OTHER_TOKEN")
	for why, files := range map[string]map[string]string{
		"JSON files only":  {"acme.json": acme, "README.md": "text"},
		"is used twice":    {"openai.json": ours},
		"larger than":      {"acme.json": "{" + strings.Repeat(" ", 64<<10)},
		"unknown field":    {"acme.json": `{"schema": 1, "colour": "red"}`},
		"wrong case":       {"acme.json": `{"Schema": 1}`},
		"twice":            {"acme.json": `{"schema": 1, "schema": 1}`},
		"data after":       {"acme.json": `{"schema": 1} {}`},
		"variable ACME_TO": {"acme.json": acme, "b.json": named("b")},
	} {
		if _, err := with(files); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v", why, err)
		}
	}
	if known, err := with(nil); err != nil || len(known.Presets()) != 42 {
		t.Errorf("an empty folder: %v", err)
	}
}

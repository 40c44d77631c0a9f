package broker_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

var macro = regexp.MustCompile(`\{([a1])\*([0-9]+)\}`)

// expand returns what an example of the catalog stands for.
func expand(example string) string {
	return macro.ReplaceAllStringFunc(example, func(m string) string {
		parts := macro.FindStringSubmatch(m)
		n, _ := strconv.Atoi(parts[2])
		return strings.Repeat(map[string]string{"a": "a", "1": "7"}[parts[1]], n)
	})
}

// put makes a request with a credential as a recipe says, and returns where that is.
func put(r catalog.Recipe, value string, h http.Header, line string) (string, string) {
	fill := placeholders.ReplaceAllString
	switch r.In {
	case "basic":
		user := fill(r.Username, "someone")
		h.Set("Authorization",
			"Basic "+base64.StdEncoding.EncodeToString([]byte(user+":"+value)))
		return "Authorization", line
	case "query":
		return "?" + r.Name, line + "?" + r.Name + "=" + value
	}
	h.Set(r.Name, fill(r.Value, value))
	return http.CanonicalHeaderKey(r.Name), line
}

var placeholders = regexp.MustCompile(`\{[a-z_]+\}`)

func TestTheKeyOfEachProviderArrivesExactlyWhereTheProviderWantsIt(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	tested := 0
	for _, preset := range s.catalog.Presets() {
		entry, _ := s.catalog.Entry(preset.ID)
		for i, a := range entry.Attach {
			values := map[string]string{"a key without a format": a.Auth}
			for _, f := range entry.Fields {
				for _, format := range f.Formats {
					if !f.Secret || !f.Required {
						continue
					}
					recipe := a.Auth
					if format.Auth != "" {
						recipe = format.Auth
					}
					values[expand(format.Examples[0])] = recipe
				}
			}
			for value, name := range values {
				s.checkArrival(entry, i, value, entry.Auth[name])
				tested++
			}
		}
	}
	if tested < 42 {
		t.Errorf("only %d keys were tested", tested)
	}
}

// checkArrival sends a placeholder where one rule of a provider takes a key of a value.
func (s *site) checkArrival(e catalog.Entry, rule int, value string, want catalog.Recipe) {
	s.t.Helper()
	what := fmt.Sprintf("%s, rule %d, %.12s…", e.ID, rule, value)
	l := s.lease(e.ID, func(g *vault.Grant) {
		g.Value = plaintext.FromString(value)
	})
	a := e.Attach[rule]
	host := a.Hosts[len(a.Hosts)-1]
	lacks := false
	for _, p := range e.Params {
		marker := "{" + p.ID + "}"
		lacks = lacks || strings.Contains(host, marker) && p.Default == ""
		host = strings.ReplaceAll(host, marker, cmp.Or(p.Default, "any"))
	}
	host = strings.Replace(host, "*.", "any.", 1)
	path := "/any"
	if len(a.Paths) > 0 {
		path = strings.TrimSuffix(a.Paths[0], "/") + "/any"
	}
	h := http.Header{"User-Agent": {"test"}}
	sent := e.Auth[a.Auth]
	_, line := put(sent, l.placeholder, h, "/"+e.ID+"/@"+host+path)
	got := s.ask("POST", line, h, strings.NewReader("{}"))
	arrived, any := s.last()
	if lacks {
		if any || got.rule() != "parameter" {
			s.t.Errorf("%s: a host is made up: %v", what, got)
		}
		return
	}
	if !any || got.status != 200 {
		s.t.Errorf("%s: answered %d %s", what, got.status, got.body)
		return
	}
	expected := http.Header{}
	place, _ := put(want, value, expected, "")
	if arrived.header.Get(place) != expected.Get(place) || arrived.host != host {
		s.t.Errorf("%s: %s is missing at %s", what, place, arrived.host)
	}
	if arrived.contains(l.placeholder) ||
		strings.Contains(
			fmt.Sprint(arrived.header),
			base64.StdEncoding.EncodeToString([]byte(":" + l.placeholder))[4:60],
		) {
		s.t.Errorf("%s: the placeholder arrived", what)
	}
	for name, values := range arrived.header {
		if name != place && strings.Contains(strings.Join(values, ""), value) {
			s.t.Errorf("%s: the key is in %s too", what, name)
		}
	}
	if strings.Contains(arrived.line, value) || !slices.Contains([]string{path}, arrived.line) {
		s.t.Errorf("%s: the line is %s", what, arrived.line)
	}
}

package broker_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/catalog"
)

// Servers decode paths, take slashes and parameters away, and some read letters of either case.
func TestAMintedCredentialStaysHoweverItsPathIsSpelled(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"jwt":"eyJSRUFM.cGF5bG9hZA.c2VjcmV0"}`)
	})
	l := s.lease("tinker")
	h := http.Header{"X-Api-Key": {l.placeholder}}
	for _, path := range []string{
		"auth/token", "auth/tok%65n", "auth/tok%2565n", "auth/token/", "auth/token;x",
		"auth%2Ftoken", "auth%2ftoken%2F", "auth;x/token%3Bx", "Auth/TOKEN", "auth/token.json",
		"auth/token.", "auth/token%20", "auth/token%3Fx/y",
	} {
		got := s.ask("POST", "/tinker/services/tinker-prod/api/v1/"+path, h, nil)
		if strings.Contains(got.body, "c2VjcmV0") || got.status != 200 && got.rule() != "target" {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}

func TestEveryMintedCredentialOfAnAnswerStays(t *testing.T) {
	t.Parallel()
	const token, refresh = "eyJSRUFM.cGF5bG9hZA.c2VjcmV0", "UkVGUkVTSFJFQUw"
	s := start(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, map[string]string{
			"":        `{"token":"` + token + `"}`,
			"offline": `{"token":"` + token + `","refresh_token":"` + refresh + `"}`,
			"oauth":   `{"access_token":"` + token + `","n":[{"again":"Bearer ` + token + `"}]}`,
			"none":    `{"token":""}`,
			"other":   `{"token":{"deep":"` + token + `"}}`,
		}[r.URL.RawQuery])
	})
	l := s.lease("dockerhub")
	h := http.Header{"Authorization": {basic("me", l.placeholder)}}
	for query, status := range map[string]int{
		"": 200, "offline": 200, "oauth": 200, "none": 502, "other": 502,
	} {
		for _, method := range []string{"GET", "POST"} {
			got := s.ask(method, "/dockerhub/token?"+query, h, nil)
			if got.status != status || strings.Contains(got.body, "c2VjcmV0") ||
				strings.Contains(got.body, refresh) {
				t.Errorf("%s %q: %d %s", method, query, got.status, got.body)
			}
		}
	}
}

// What hands out a key that outlives the lease is refused, at every provider whose catalog has it.
func TestWhatHandsOutLastingCredentialsIsDenied(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	denied, entries := 0, 0
	for _, preset := range s.catalog.Presets() {
		entry, _ := s.catalog.Entry(preset.ID)
		entries++
		for rule, a := range entry.Attach {
			for _, d := range a.Deny {
				denied++
				s.checkDenied(entry, rule, d)
			}
		}
	}
	if denied < 17 || entries < 42 {
		t.Errorf("only %d endpoints of %d entries are denied", denied, entries)
	}
	l := s.lease("gitlab")
	for _, path := range []string{"users/1/keys", "personal_access_tokens", "projects/a%2Fb"} {
		if got := s.ask("POST", "/gitlab/api/v4/"+path, bearer(l), nil); got.status != 200 {
			t.Errorf("%s: %d", path, got.status)
		}
	}
}

func (s *site) checkDenied(e catalog.Entry, rule int, d catalog.Endpoint) {
	s.t.Helper()
	l := s.lease(e.ID)
	h := http.Header{}
	put(e.Auth[e.Attach[rule].Auth], l.placeholder, h)
	lines := []string{"/" + e.ID}
	for _, host := range e.Attach[rule].Hosts {
		host, _ = e.FillHost(host, nil)
		lines = append(lines, "/"+e.ID+"/@"+strings.Replace(host, "*.", "any.", 1))
	}
	for _, line := range lines {
		for _, one := range []string{"self", "a%2Fb", "17"} {
			path := strings.ReplaceAll(d.Path, "*", one)
			for _, spelled := range []string{
				path, path + "/", path + ";x", path + ".json", path + "?a=b", strings.ToUpper(path),
			} {
				got := s.ask(d.Method, line+spelled, h, nil)
				if _, any := s.last(); any || got.rule() != "path" {
					s.t.Errorf("%s %s%s: %d by %q", d.Method, line, spelled, got.status, got.rule())
				}
			}
		}
	}
	// What is only like it passes: the rule denies no more than it says.
	path := "/" + e.ID + strings.ReplaceAll(d.Path, "*", "self") + "x"
	if got := s.ask(d.Method, path, h, nil); got.status != http.StatusOK {
		s.t.Errorf("%s %s: %d by %q", d.Method, path, got.status, got.rule())
	}
	s.last()
}

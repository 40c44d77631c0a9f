package broker_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestTheKeyArrivesWhereTheProviderTakesItAndThePlaceholderNowhere(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	openai, anthropic := s.lease("openai"), s.lease("anthropic")
	github, tinker := s.lease("github"), s.lease("tinker")
	const inference = "/tinker/services/tinker-prod"
	for _, c := range []struct {
		name   string
		lease  lease
		line   string
		header http.Header
		host   string
		want   string // of the provider's line
		auth   http.Header
	}{
		{"OpenAI", openai, "/openai/v1/models?limit=2", http.Header{"Authorization": {"Bearer PLACEHOLDER"}}, "api.openai.com", "/v1/models?limit=2", http.Header{"Authorization": {"Bearer VALUE"}}},
		{"OpenAI, lower case", openai, "/openai/v1/models", http.Header{"Authorization": {"bearer PLACEHOLDER"}}, "api.openai.com", "/v1/models", http.Header{"Authorization": {"Bearer VALUE"}}},
		{"Anthropic", anthropic, "/anthropic/v1/messages", http.Header{"X-Api-Key": {"PLACEHOLDER"}}, "api.anthropic.com", "/v1/messages", http.Header{"X-Api-Key": {"VALUE"}}},
		{"Anthropic, Bearer", anthropic, "/anthropic/v1/messages?beta=true", http.Header{"Authorization": {"Bearer PLACEHOLDER"}}, "api.anthropic.com", "/v1/messages?beta=true", http.Header{"X-Api-Key": {"VALUE"}}},
		{"Anthropic, both", anthropic, "/anthropic/v1/messages", http.Header{"Authorization": {"Bearer PLACEHOLDER"}, "X-Api-Key": {"PLACEHOLDER"}}, "api.anthropic.com", "/v1/messages", http.Header{"X-Api-Key": {"VALUE"}}},
		{"GitHub", github, "/github/user", http.Header{"Authorization": {"token PLACEHOLDER"}}, "api.github.com", "/user", http.Header{"Authorization": {"Bearer VALUE"}}},
		{"GitHub, another host", github, "/github/@raw.githubusercontent.com/o/r/f", http.Header{"Authorization": {"token PLACEHOLDER"}}, "raw.githubusercontent.com", "/o/r/f", http.Header{"Authorization": {"Bearer VALUE"}}},
		{"git", github, "/github/@github.com/o/r.git/info/refs?service=git-upload-pack", http.Header{"Authorization": {"Bearer PLACEHOLDER"}}, "github.com", "/o/r.git/info/refs?service=git-upload-pack", http.Header{"Authorization": {basic("x-access-token", github.value)}}},
		{"git, as password", github, "/github/@github.com/o/r.git/info/refs", http.Header{"Authorization": {basic("x", github.placeholder)}}, "github.com", "/o/r.git/info/refs", http.Header{"Authorization": {basic("x-access-token", github.value)}}},
		{"git, as user", github, "/github/@github.com/o/r.git/info/refs", http.Header{"Authorization": {basic(github.placeholder, "x-oauth-basic")}}, "github.com", "/o/r.git/info/refs", http.Header{"Authorization": {basic("x-access-token", github.value)}}},
		{"Tinker", tinker, inference + "/api/v1/x", http.Header{"X-Api-Key": {"PLACEHOLDER"}}, "tinker.thinkingmachines.dev", "/services/tinker-prod/api/v1/x", http.Header{"X-Api-Key": {"VALUE"}}},
		{"Tinker, for OpenAI's clients", tinker, inference + "/oai/v1/x", http.Header{"Authorization": {"Bearer PLACEHOLDER"}}, "tinker.thinkingmachines.dev", "/services/tinker-prod/oai/v1/x", http.Header{"Authorization": {"Bearer VALUE"}}},
		{"Tinker, minted", tinker, inference + "/api/v1/x", http.Header{"X-Api-Key": {"eyJh.eyJi.PLACEHOLDER"}}, "tinker.thinkingmachines.dev", "/services/tinker-prod/api/v1/x", http.Header{"X-Api-Key": {"VALUE"}}},
	} {
		for name, values := range c.header {
			c.header[name] = []string{
				strings.ReplaceAll(values[0], "PLACEHOLDER", c.lease.placeholder),
			}
		}
		for name, values := range c.auth {
			c.auth[name] = []string{strings.ReplaceAll(values[0], "VALUE", c.lease.value)}
		}
		c.header.Set("User-Agent", "test")
		got := s.ask("POST", c.line, c.header, strings.NewReader("body"))
		arrived, ok := s.last()
		if !ok || got.status != 200 {
			t.Errorf("%s: answered %d: %s", c.name, got.status, got.body)
			continue
		}
		if arrived.host != c.host || arrived.line != c.want || arrived.body != "body" ||
			arrived.method != "POST" {
			t.Errorf("%s: %s %s %s", c.name, arrived.method, arrived.host, arrived.line)
		}
		auth := http.Header{}
		for _, name := range []string{"Authorization", "X-Api-Key"} {
			if values := arrived.header[name]; values != nil {
				auth[name] = values
			}
		}
		if diff := cmp.Diff(c.auth, auth); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if arrived.contains(c.lease.placeholder) {
			t.Errorf("%s: the placeholder arrived", c.name)
		}
	}
}

func TestAnyOtherCredentialIsRefusedAndNeverReplaced(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	one, other := s.lease("openai"), s.lease("openai")
	anthropic, ended := s.lease("anthropic"), s.lease("openai")
	s.revoke(ended)
	of := func(l lease, more ...string) http.Header {
		h := bearer(l)
		for i := 0; i < len(more); i += 2 {
			h.Add(more[i], strings.ReplaceAll(more[i+1], "PLACEHOLDER", l.placeholder))
		}
		return h
	}
	unknown := one
	unknown.placeholder = "sk-proj-" + strings.Repeat("a", 71)
	for _, c := range []struct {
		name, line string
		header     http.Header
		rule       string
	}{
		{"none", "/openai/v1/models", http.Header{}, "missing"},
		{"another", "/openai/v1/models", http.Header{"Authorization": {"Bearer sk-fake"}}, "other"},
		{"empty", "/openai/v1/models", http.Header{"Authorization": {"Bearer "}}, "other"},
		{"longer", "/openai/v1/models", http.Header{"Authorization": {"Bearer " + one.placeholder + "a"}}, "other"},
		{"unknown", "/openai/v1/models", of(unknown), "placeholder"},
		{"ended", "/openai/v1/models", of(ended), "placeholder"},
		{"of another provider", "/openai/v1/models", of(anthropic), "other"},
		{"twice", "/openai/v1/models", of(one, "Authorization", "Bearer PLACEHOLDER"), "other"},
		{"two leases", "/anthropic/v1/models", http.Header{"Authorization": {"Bearer " + anthropic.placeholder}, "X-Api-Key": {other.placeholder}}, "other"},
		{"one of its own beside it", "/anthropic/v1/models", http.Header{"Authorization": {"Bearer " + anthropic.placeholder}, "X-Api-Key": {"sk-ant-mine"}}, "other"},
		{"in a cookie too", "/openai/v1/models", of(one, "Cookie", "a=PLACEHOLDER"), "misplaced"},
		{"in the referrer too", "/openai/v1/models", of(one, "Referer", "https://a.example/?k=PLACEHOLDER"), "misplaced"},
		{"in any header too", "/openai/v1/models", of(one, "X-Any", "PLACEHOLDER"), "misplaced"},
		{"in the origin too", "/openai/v1/models", of(one, "Origin", "https://PLACEHOLDER"), "misplaced"},
		{"in the query too", "/openai/v1/models?key=" + one.placeholder, of(one), "misplaced"},
		{"in the path too", "/openai/v1/" + one.placeholder, of(one), "misplaced"},
		{"in a cookie alone", "/openai/v1/models", http.Header{"Cookie": {one.placeholder}}, "missing"},
		{"in a header of another provider", "/openai/v1/models", http.Header{"X-Api-Key": {one.placeholder}}, "missing"},
		{"Basic, twice", "/github/@github.com/o", http.Header{"Authorization": {basic(one.placeholder, one.placeholder)}}, "other"},
		{"Basic, none", "/github/@github.com/o", http.Header{"Authorization": {basic("a", "b")}}, "other"},
		{"Basic, broken", "/github/@github.com/o", http.Header{"Authorization": {"Basic %"}}, "other"},
	} {
		got := s.ask("GET", c.line, c.header, nil)
		if got.rule() != c.rule || got.status != 403 ||
			got.header.Get("X-Should-Retry") != "false" {
			t.Errorf(
				"%s: %d by %q, want %q: %v",
				c.name,
				got.status,
				got.rule(),
				c.rule,
				got.header,
			)
		}
		if strings.Contains(got.body, one.placeholder) || strings.Contains(got.body, "sk-fake") {
			t.Errorf("%s: the answer shows what was sent", c.name)
		}
		if _, any := s.last(); any {
			t.Errorf("%s: the provider was asked", c.name)
		}
	}
	for _, r := range s.records() {
		if r.Refused == "" || r.Lease != one.id && r.Lease != ended.id && r.Lease != anthropic.id {
			t.Errorf("recorded: %+v", r)
		}
	}
}

func TestWhatTellsOfTheWayStopsHereAndAllElsePasses(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("anthropic")
	stops := []string{
		"Cookie", "Forwarded", "Via", "Origin", "X-Forwarded-For", "X-Forwarded-Host",
		"X-Forwarded-Anything", "X-Real-Ip", "Proxy-Authorization", "Proxy-Connection", "Proxy-Any",
		"Keep-Alive", "Te", "Upgrade", "Http2-Settings", "X-Hop", "Keysake-Broker",
	}
	passes := []string{
		"Accept", "Anthropic-Beta", "Anthropic-Version", "Content-Type", "If-None-Match", "Range",
		"X-Unknown", "X-Stainless-Retry-Count", "Idempotency-Key", "User-Agent", "Referer",
	}
	h := http.Header{"X-Api-Key": {l.placeholder}, "Connection": {"x-hop, x-api-key, upgrade"}}
	for _, name := range append(stops, passes...) {
		h.Set(name, "value")
	}
	if got := s.ask("GET", "/anthropic/v1/models", h, nil); got.status != 200 {
		t.Fatal(got)
	}
	arrived, _ := s.last()
	for _, name := range stops {
		if arrived.header[name] != nil {
			t.Errorf("%s passes", name)
		}
	}
	for _, name := range passes {
		if arrived.header.Get(name) != "value" {
			t.Errorf("%s stops", name)
		}
	}
	if arrived.header.Get("X-Api-Key") != l.value {
		t.Error("the key was lost")
	}
}

func TestAValueThatNoHeaderCanHaveIsNotAttached(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	for _, value := range []string{"key\r\nX-More: 1", "key\n", "ke\x00y", "key\x7f"} {
		l := s.lease("openai", func(g *vault.Grant) { g.Value = plaintext.FromString(value) })
		got := s.ask("GET", "/openai/v1/models", bearer(l), nil)
		if _, any := s.last(); any || got.rule() != "value" || strings.Contains(got.body, "key") {
			t.Errorf("%q: %v", value, got)
		}
	}
}

func TestANewVersionIsAttachedFromTheNextRequestOn(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai")
	s.ask("GET", "/openai/v1/models", bearer(l), nil)
	s.change(
		l,
		func(g *vault.Grant) { g.Version, g.Value = 2, plaintext.FromString("second-value") },
	)
	s.ask("GET", "/openai/v1/models", bearer(l), nil)
	if got, _ := s.last(); got.header.Get("Authorization") != "Bearer second-value" {
		t.Error("the first version was attached")
	}
}

func TestAStoreThatIsAwayLetsNothingPass(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	l := s.lease("openai")
	s.grants.fault = &vault.Error{Kind: vault.Unavailable, Detail: "canary"}
	got := s.ask("POST", "/openai/v1/chat/completions", bearer(l), strings.NewReader("{}"))
	if _, any := s.last(); any || got.status != 503 || got.header.Get("Retry-After") != "1" ||
		got.header.Get("X-Should-Retry") != "true" || strings.Contains(got.body, "canary") {
		t.Errorf("%v", got)
	}
}

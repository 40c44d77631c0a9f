package probe_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/plaintext"
)

// said has a text for every expression that a rule looks for in a body.
var said = map[string]string{
	"Missing scopes": "You have insufficient permissions. Missing scopes: one",
	`(?i)\bIP\b.{0,40}not (?:authorized|allowed)`: "Your IP is not authorized",
	"Resource not accessible":                     "Resource not accessible by integration",
	"API_KEY_INVALID":                             "API_KEY_INVALID",
}

// put stores a value in a document, where a pointer of the catalog says.
func put(t *testing.T, document map[string]any, pointer string, value any) {
	t.Helper()
	parts := strings.Split(pointer[1:], "/")
	inside := document
	for i, part := range parts {
		if i == len(parts)-1 {
			inside[part] = value
			return
		}
		next, found := inside[part].(map[string]any)
		if len(parts) > i+2 && parts[i+1] == "0" { // a list of one
			item := map[string]any{}
			inside[part] = []any{item}
			put(t, item, "/"+strings.Join(parts[i+2:], "/"), value)
			return
		}
		if !found {
			next = map[string]any{}
			inside[part] = next
		}
		inside = next
	}
}

// canned returns the answer for which a rule was written.
func canned(t *testing.T, check catalog.Check, rule catalog.Rule) http.HandlerFunc {
	t.Helper()
	document := map[string]any{}
	if len(check.Shape) > 0 {
		shape := check.Shape[0]
		if rule.When.Status[0] >= 400 {
			shape = check.Shape[len(check.Shape)-1]
		}
		put(t, document, shape, map[string]any{})
	}
	for _, pointer := range slices.Sorted(maps.Keys(rule.When.JSON)) {
		value := rule.When.JSON[pointer][0]
		if value == "*" {
			value = "anything"
		}
		put(t, document, pointer, value)
	}
	if rule.When.Body != "" {
		text, found := said[rule.When.Body]
		if !found {
			t.Fatalf("add a text for %s", rule.When.Body)
		}
		document["text"] = text
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) {
		for name, value := range rule.When.Header {
			w.Header().Set(name, strings.ReplaceAll(value, "*", "anything"))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(rule.When.Status[0])
		_, _ = w.Write(text)
	}
}

func TestEachRuleIsFollowedAndTheKeyIsWhereTheProviderWantsItAlone(t *testing.T) {
	t.Parallel()
	known := load(t)
	provider, prober := newProvider(t, known)
	asked := 0
	for _, preset := range known.Presets() {
		entry, _ := known.Entry(preset.ID)
		if !entry.CanCheck() {
			continue
		}
		for _, check := range entry.Verify {
			key := keyFor(t, entry, check.Formats[0])
			for _, rule := range check.Rules {
				provider.answers(canned(t, check, rule))
				found, err := prober.Probe(t.Context(), preset.ID, key)
				if err != nil {
					t.Fatalf("%s: %v", preset.ID, err)
				}
				if found.Outcome != rule.Then || found.Note != rule.Note ||
					found.Check != check.ID || found.Status != rule.When.Status[0] {
					t.Errorf("%s, %s: got %+v for %+v", preset.ID, check.ID, found, rule)
				}
				requests := provider.requests()
				if len(requests) != 1 {
					t.Fatalf("%s was asked %d times", preset.ID, len(requests))
				}
				checkRequest(t, entry, check, requests[0], key)
				asked++
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d rules were tried", asked)
	}
}

// checkRequest holds that a request has the key in the one place that its recipe names.
func checkRequest(
	t *testing.T, entry catalog.Entry, check catalog.Check, r recorded, key plaintext.Value,
) {
	t.Helper()
	want, err := url.Parse(catalog.Fill(check.Request.URL, entry.Inputs(plaintext.Value{})))
	if err != nil {
		t.Fatal(err)
	}
	if r.Method != check.Request.Method || r.Host != want.Host ||
		r.URL.RequestURI() != want.RequestURI() || r.UserAgent() != userAgent {
		t.Errorf("%s: asked %s %s%s as %s", entry.ID, r.Method, r.Host, r.URL, r.UserAgent())
	}
	text := string(key.Reveal())
	recipe := entry.Auth[check.Request.Auth]
	places := map[string]string{"body": r.body, "address": r.URL.String()}
	for name, values := range r.Header {
		places[name] = strings.Join(values, "\n")
		if encoded, basic := strings.CutPrefix(places[name], "Basic "); basic {
			decoded, _ := base64.StdEncoding.DecodeString(encoded)
			places[name] = string(decoded)
		}
	}
	place := map[string]string{
		"header": http.CanonicalHeaderKey(recipe.Name), "basic": "Authorization", "": "body",
	}[recipe.In]
	for name, content := range places {
		if has := strings.Contains(content, text) ||
			strings.Contains(content, url.QueryEscape(text)); has != (name == place) {
			t.Errorf("%s: the key is in the %s: %v, want it in the %s", entry.ID, name, has, place)
		}
	}
}

func TestEveryProviderWithoutACheckIsAskedNothing(t *testing.T) {
	t.Parallel()
	known := load(t)
	provider, prober := newProvider(t, known)
	provider.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	for _, c := range []struct{ preset, format string }{
		{"github", "app_refresh"},
		{"anthropic", "oauth_refresh"},
		{"stripe", "publishable"},
		{"slack", "app"},
		{"cloudflare", "account_token"},
		{"gitlab", "other_gitlab"},
		{"langfuse", "secret"},
		{"azure_openai", "resource_key"},
		{"aws_bedrock", "long_term"},
		{"dockerhub", "pat"},
		{"modal", "token_secret"},
		{"brave_search", "api_key"},
		{"exa", "api_key"},
		{"serper", "api_key"},
		{"daytona", "api_key"},
		{"fireworks", "api_key"},
	} {
		entry, _ := known.Entry(c.preset)
		key := keyFor(t, entry, c.format)
		if prober.CanProbe(c.preset, key) {
			t.Errorf("%s can be asked about %s", c.preset, c.format)
		}
		if _, err := prober.Probe(t.Context(), c.preset, key); err == nil {
			t.Errorf("%s was asked about %s", c.preset, c.format)
		}
	}
	if prober.CanProbe("nobody", plaintext.FromString("any")) {
		t.Error("a provider that nobody knows can be asked")
	}
	if n := len(provider.requests()); n != 0 {
		t.Errorf("%d requests were sent", n)
	}
}

package broker_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
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

// put puts a credential into a request as a recipe says, and returns the query that it needs.
func put(r catalog.Recipe, value string, h http.Header) (query string) {
	fill := templates.ReplaceAllString
	switch r.In {
	case "basic":
		user := fill(r.Username, "someone")
		h.Set("Authorization", basic(user, value))
		return ""
	case "query":
		return "?" + r.Name + "=" + value
	case "ws_subprotocol":
		h.Set("Sec-Websocket-Protocol", fill(r.Value, value))
		return ""
	}
	h.Set(r.Name, fill(r.Value, value))
	return ""
}

var templates = regexp.MustCompile(`\{[a-z_]+\}`)

// keysOf returns keys of all formats of a provider, and how one rule attaches each.
func keysOf(e catalog.Entry, a catalog.Attach) map[string]catalog.Recipe {
	keys := map[string]catalog.Recipe{"a key without a format": e.Auth[a.Auth]}
	for _, f := range e.Fields {
		for _, format := range f.Formats {
			if f.Secret && f.Required {
				keys[expand(format.Examples[0])] = e.Auth[cmp.Or(format.Auth, a.Auth)]
			}
		}
	}
	return keys
}

func TestTheKeyOfEachProviderArrivesExactlyWhereTheProviderWantsIt(t *testing.T) {
	t.Parallel()
	s := startRemembering(t)
	providers := 0
	for _, preset := range s.catalog.Presets() {
		entry, _ := s.catalog.Entry(preset.ID)
		if len(entry.Attach) > 0 {
			providers++
		}
		s.checkProvider(entry)
	}
	if providers < 42 {
		t.Errorf("only %d providers were tested", providers)
	}
}

// checkProvider sends a placeholder in each place in which a provider's clients have a key, for
// keys of each of its formats, to each of its hosts.
func (s *site) checkProvider(e catalog.Entry) {
	s.t.Helper()
	for rule, a := range e.Attach {
		for _, host := range a.Hosts {
			for value, want := range keysOf(e, a) {
				for _, sent := range e.Auth {
					s.checkArrival(arrival{e, rule, host, value, sent, want})
				}
			}
		}
	}
}

// An arrival is a placeholder that stands for a value, and is sent as one recipe says; the value
// must arrive as the other one says.
type arrival struct {
	entry      catalog.Entry
	rule       int
	host       string
	value      string
	sent, want catalog.Recipe
}

// target returns the host and path that the arrival is for, and whether both, and the credential,
// are known without asking the user for more.
func (a arrival) target() (host, path string, known bool) {
	host, known = a.host, true
	for _, p := range a.entry.Params {
		marker := "{" + p.ID + "}"
		known = known && (!strings.Contains(host, marker) || p.Default != "")
		host = strings.ReplaceAll(host, marker, cmp.Or(p.Default, "any"))
	}
	if a.want.In == "basic" && a.sent.In != "basic" && templates.MatchString(a.want.Username) {
		known = false
	}
	path = "/any"
	if paths := a.entry.Attach[a.rule].Paths; len(paths) > 0 {
		path = strings.TrimSuffix(paths[0], "/") + "/any"
	}
	return strings.Replace(host, "*.", "any.", 1), path, known
}

func (s *site) checkArrival(a arrival) {
	s.t.Helper()
	what := fmt.Sprintf("%s, rule %d, %.12s…, from %s %s", a.entry.ID, a.rule, a.value, a.sent.In,
		a.sent.Name)
	l := s.lease(a.entry.ID, func(g *vault.Grant) {
		g.Value = plaintext.FromString(a.value)
	})
	host, path, known := a.target()
	h := http.Header{"User-Agent": {"test"}}
	query := put(a.sent, l.placeholder, h)
	got := s.ask("POST", "/"+a.entry.ID+"/@"+host+path+query, h, strings.NewReader("{}"))
	arrived, any := s.last()
	if !known {
		if any || got.rule() != "parameter" {
			s.t.Errorf("%s: a parameter is made up: %v", what, got)
		}
		return
	}
	if !any || got.status != 200 {
		s.t.Errorf("%s: answered %d %s", what, got.status, got.body)
		return
	}
	expected := http.Header{}
	line := path + put(a.want, a.value, expected)
	for name := range expected {
		if arrived.header.Get(name) != expected.Get(name) {
			s.t.Errorf("%s: the key is missing in %s", what, name)
		}
	}
	if arrived.host != host || arrived.line != line || arrived.body != "{}" {
		s.t.Errorf("%s: %s%s arrived", what, arrived.host, arrived.line)
	}
	if n := arrived.count(a.value); n != 1 {
		s.t.Errorf("%s: the key is in %d places", what, n)
	}
	if n := arrived.count(l.placeholder); n != 0 {
		s.t.Errorf("%s: the placeholder arrived", what)
	}
}

// count returns how often a request has a text, also within Basic.
func (a arrived) count(text string) int {
	n := strings.Count(a.host+"\n"+a.line+"\n"+a.body, text)
	for name, values := range a.header {
		for _, value := range values {
			encoded, _ := strings.CutPrefix(value, "Basic ")
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				decoded = nil
			}
			n += strings.Count(name+"\n"+value+"\n"+string(decoded), text)
		}
	}
	return n
}

// The places that no provider of the catalog takes a key in today, an operator's own may.
const everyPlace = `{
	"schema": 1, "id": "acme", "name": "Acme", "category": "internal",
	"docs": "https://docs.acme.example/", "confidence": "high", "checked": "2026-11-28",
	"fields": [{"id": "token", "label": "Token", "secret": true, "required": true,
		"env": "ACME_TOKEN", "formats": [{"id": "token", "prefix": "acme_",
		"regex": "acme_[a-z0-9]{40}", "distinct": true, "mask": {"head": 5, "tail": 4},
		"examples": ["acme_{a*40}"]}]}],
	"auth": {
		"bearer": {"in": "header", "name": "Authorization", "value": "Bearer {token}"},
		"login": {"in": "basic", "username": "me", "password": "{token}"},
		"user": {"in": "basic", "username": "{token}", "password": "x"},
		"query": {"in": "query", "name": "key", "value": "{token}"},
		"metadata": {"in": "grpc", "name": "x-acme-token", "value": "{token}"},
		"socket": {"in": "ws_subprotocol", "value": "acme-key.{token}"}
	},
	"attach": [
		{"hosts": ["api.acme.example"], "paths": ["/login/"], "auth": "login",
			"strip": {"headers": ["Authorization"]}},
		{"hosts": ["api.acme.example"], "paths": ["/query/"], "auth": "query", "strip": {}},
		{"hosts": ["api.acme.example"], "paths": ["/metadata/"], "auth": "metadata", "strip": {}},
		{"hosts": ["api.acme.example"], "paths": ["/socket/"], "auth": "socket",
			"strip": {"ws_subprotocols": ["acme-key."]}, "stream": ["websocket"]}
	],
	"client": {"placeholder": "acme_{lease}"}, "verify": []
}`

func TestAKeyArrivesInEveryPlaceThatAPresetCanName(t *testing.T) {
	t.Parallel()
	entry := must(catalog.DecodeEntry([]byte(everyPlace)))
	var s *site
	s = start(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			s.remember(w, r)
			return
		}
		s.mu.Lock()
		s.got = append(s.got, arrived{header: r.Header.Clone()})
		s.mu.Unlock()
		duplexer(w, r)
	}, entry)
	for rule := range entry.Attach[:3] {
		for name, sent := range entry.Auth {
			if name != "socket" && name != "user" {
				s.checkArrival(arrival{
					entry, rule, "api.acme.example", "acme_" + strings.Repeat("k", 40), sent,
					entry.Auth[entry.Attach[rule].Auth],
				})
			}
		}
	}
	l := s.lease("acme")
	want := "chat, v2, acme-key." + l.value
	for _, credential := range []string{
		"Sec-WebSocket-Protocol: chat, acme-key." + l.placeholder + ", v2",
		"Sec-WebSocket-Protocol: chat, v2\r\nAuthorization: Bearer " + l.placeholder,
		"Sec-WebSocket-Protocol: chat, v2\r\nX-Acme-Token: " + l.placeholder,
		"Sec-WebSocket-Protocol: chat, v2\r\nAuthorization: " + basic("me", l.placeholder),
	} {
		_, _, resp := s.dial("/acme/socket/any", "Connection: Upgrade\r\nUpgrade: websocket\r\n"+
			"Sec-WebSocket-Key: abc\r\n"+credential+"\r\n")
		got, _ := s.last()
		if got.header.Get("Sec-Websocket-Protocol") != want || got.count(l.value) != 1 ||
			got.count(l.placeholder) != 0 {
			t.Errorf("%.40s: %d, the provider got another request", credential, resp.StatusCode)
		}
	}
}

package broker_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// sayer is a provider that answers what the header X-Say asks for: status, type and body.
func sayer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	status, kind, body := 0, r.Header.Get("X-Type"), r.Header.Get("X-Say")
	for _, c := range r.Header.Get("X-Status") {
		status = status*10 + int(c-'0')
	}
	w.Header().Set("Content-Type", kind)
	body = strings.ReplaceAll(body, "KEY", r.Header.Get("Authorization"))
	if r.Header.Get("Accept-Encoding") != "gzip" {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
		return
	}
	w.Header().Set("Content-Encoding", "gzip")
	w.WriteHeader(status)
	packed := gzip.NewWriter(w)
	_, _ = io.WriteString(packed, body)
	_ = packed.Close()
}

// openAIError is how OpenAI words an error.
const openAIError = `{"error":{"message":"Incorrect API key: KEY","code":"invalid_api_key"}}`

func TestWhatAnAnswerShowsOfTheKey(t *testing.T) {
	t.Parallel()
	const (
		json    = "application/json"
		works   = vault.KeyWorked
		refused = vault.KeyRefused
		nothing = vault.NothingShown
	)
	for what, c := range map[string]struct {
		provider, method, path string
		status, kind, body     string
		want                   vault.Evidence
	}{
		"a success that changes something": {"openai", "POST", "/v1/responses", "200", json, "{}", works},
		"a success without a body":         {"openai", "DELETE", "/v1/files/f", "204", json, "", works},
		"a list that may be public":        {"openai", "GET", "/v1/files", "200", json, "{}", nothing},
		"the list that the check asks for": {"openai", "GET", "/v1/models", "200", json, "{}", works},
		"each part for itself":             {"openai", "POST", "/v1/responses", "207", json, "{}", nothing},
		"gRPC":                             {"openai", "POST", "/v1/responses", "200", "application/grpc", "", nothing},
		"a redirect":                       {"openai", "POST", "/v1/responses", "302", json, "{}", nothing},
		"a success with the error inside":  {"slack", "POST", "/api/chat.postMessage", "200", json, `{"ok":false}`, nothing},
		"the provider's refusal":           {"openai", "POST", "/v1/responses", "401", json, openAIError, refused},
		"the refusal of a GET":             {"openai", "GET", "/v1/files", "401", json, openAIError, refused},
		"a scope that is missing":          {"openai", "POST", "/v1/responses", "401", json, `{"error":{"code":"missing_scope"}}`, nothing},
		"an address that is not allowed":   {"openai", "POST", "/v1/responses", "401", json, `{"error":{"message":"Your IP is not authorized"}}`, nothing},
		"a refusal by policy":              {"openai", "POST", "/v1/responses", "403", json, openAIError, nothing},
		"too many requests":                {"openai", "POST", "/v1/responses", "429", json, openAIError, nothing},
		"a fault":                          {"openai", "POST", "/v1/responses", "500", json, openAIError, nothing},
		"a page of a gateway":              {"openai", "POST", "/v1/responses", "401", "text/html", "<h1>401</h1>", nothing},
		"a gateway that writes JSON":       {"openai", "POST", "/v1/responses", "401", json, `{"message":"denied"}`, nothing},
		"no body":                          {"openai", "POST", "/v1/responses", "401", json, "", nothing},
		"half a body":                      {"openai", "POST", "/v1/responses", "401", json, openAIError[:50], nothing},
		"a body of a document":             {"openai", "POST", "/v1/responses", "401", json, openAIError[:1] + `"text":"` + strings.Repeat("x", 5000) + `",` + openAIError[1:], nothing},
		"a provider without a check":       {"exa", "POST", "/search", "401", json, `{"error":"x"}`, nothing},
		"a login with the client's part":   {"langfuse", "POST", "/api/public/ingestion", "401", json, `{"message":"x"}`, nothing},
	} {
		for _, coding := range []string{"", "gzip"} {
			t.Run(what+" "+coding, func(t *testing.T) {
				t.Parallel()
				s := start(t, sayer)
				stamp := seal.NewStamp()
				l := s.lease(c.provider, func(g *vault.Grant) { g.Stamp = stamp })
				entry, _ := s.catalog.Entry(c.provider)
				h := http.Header{
					"X-Status": {c.status}, "X-Type": {c.kind}, "X-Say": {c.body},
					"Accept-Encoding": {coding},
				}
				put(entry.Auth[entry.Attach[0].Auth], l.placeholder, h)
				got := s.ask(c.method, "/"+c.provider+c.path, h, nil)
				if got.rule() != "" || strings.Contains(got.body, l.value) {
					t.Fatalf("%d by %q: %s", got.status, got.rule(), got.body)
				}
				all := s.records()
				if len(all) != 1 || all[0].Shown != c.want || all[0].Stamp != stamp {
					t.Errorf("recorded: %+v", all)
				}
			})
		}
	}
}

func TestWhatTheBrokerRefusesShowsNothingOfTheKey(t *testing.T) {
	t.Parallel()
	s := start(t, sayer)
	l := s.lease("openai", func(g *vault.Grant) { g.Limits.Methods = []string{"POST"} })
	h := bearer(l)
	h.Set("X-Status", "401")
	h.Set("X-Say", openAIError)
	s.ask("GET", "/openai/v1/models", h, nil)
	s.ask("POST", "/openai/v2/models", h, nil)
	s.ask("POST", "/openai/v1/realtime/client_secrets", h, nil)
	for _, r := range s.records() {
		if r.Shown != vault.NothingShown || r.Refused == "" {
			t.Errorf("recorded: %+v", r)
		}
	}
}

// A provider whose answer breaks off has said nothing.
func TestAnAnswerThatBreaksOffShowsNothing(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, openAIError)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	l := s.lease("openai")
	r, err := http.NewRequestWithContext(
		t.Context(), http.MethodPost, s.URL+"/openai/v1/responses", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = bearer(l)
	if resp, err := s.Client().Do(r); err == nil {
		_, _ = io.ReadAll(resp.Body)
		_ = resp.Body.Close()
	}
	for _, r := range s.records() {
		if r.Shown != vault.NothingShown {
			t.Errorf("recorded: %+v", r)
		}
	}
}

// What answers 200 and says in the body that a key is not valid shows nothing by its status.
func TestOnlyASuccessByWhichTheProviderVouchesShowsThatAKeyWorks(t *testing.T) {
	t.Parallel()
	s := start(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, "{}")
	})
	want := map[string]bool{}
	for _, preset := range s.catalog.Presets() {
		entry, _ := s.catalog.Entry(preset.ID)
		for _, check := range entry.Verify {
			for _, rule := range check.Rules {
				for _, status := range rule.When.Status {
					if status == 200 && rule.Then == catalog.OutcomeInvalid {
						want[preset.ID] = true
					}
				}
			}
		}
		a := entry.Attach[0]
		path := "/any"
		if len(a.Paths) > 0 {
			path = strings.TrimSuffix(a.Paths[0], "/") + "/any"
		}
		h := http.Header{}
		query := put(entry.Auth[a.Auth], s.lease(preset.ID).placeholder, h)
		s.ask("POST", "/"+preset.ID+path+query, h, nil)
	}
	if len(want) != 4 {
		t.Errorf("the catalog has %v", want)
	}
	working, silent := 0, 0
	for _, r := range s.records() {
		switch {
		case r.Refused != "":
		case r.Shown == vault.KeyWorked:
			working++
		default:
			silent++
		}
	}
	if silent != len(want) || working < 30 {
		t.Errorf("%d show that the key works, %d nothing", working, silent)
	}
}

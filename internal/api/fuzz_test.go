package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// fuzzCanary stands in a fuzzed body wherever the fuzzer has an @, which JSON has no other use for.
const fuzzCanary = "4cAnAry7-4cAnAry7"

// bodies are seeds: one of each kind of body that is good, and of each kind of mistake.
var bodies = []string{
	`{"provider":"openai","value":"v"}`,
	`{"name":"A","value":"v","provider":null}`,
	`{"value":"\u00e9\ud83d\udd11"}`,
	`{"username":"ada","email_address":"ada@example.org"}`,
	`{"name":"ci","allow_self_revoke":true,"allowed_scopes":["secrets:read"],` +
		`"expires_at":"2099-01-01T00:00:00Z"}`,
	`{}`,
	``,
	`null`,
	`[]`,
	`7`,
	`"@"`,
	`@`,
	`{"@":1}`,
	`{"value":"@"}`,
	`{"value":"@","value":"@"}`,
	`{"value":"@","\u0076alue":"v"}`,
	`{"Value":"@"}`,
	`{"value":["@"],"name":{"@":"@"}}`,
	`{"value":"@` + "\xff" + `"}`,
	`{"value":"\ud800@"}`,
	`{"value":"@"} @`,
	`{"value":"@`,
	`{"allowed_scopes":["@",7,null]}`,
	`{"expires_at":"@"}`,
	`{"value":1e999}`,
	strings.Repeat("[", 100),
	strings.Repeat(`{"a":`, 20),
	"\ufeff{}",
	`{"name":"@\n"}`,
	`{"version":1}`,
	`{"version":0}`,
	`{"secrets":[{"name":"A","value":"v"},{"name":"B","value":"w","provider":"openai"}]}`,
	`{"secrets":[{"name":"A","value":"@"},{"name":"A","value":"@"}],"replace":true}`,
	`{"secrets":[{"@":1},null,7,{"name":"@","value":["@"]}],"replace":"@"}`,
}

func FuzzDecode(f *testing.F) {
	if len(bodies) == 0 {
		f.Fatal("there are no seeds")
	}
	for _, body := range bodies {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		body = bytes.ReplaceAll(body, []byte("@"), []byte(fuzzCanary))
		checkParser(t, body, parseSecret, func(in wire.CreateSecret) any {
			return map[string]any{"name": in.Name, "value": open(in.Value), "provider": in.Provider}
		})
		checkParser(t, body, parseFromPreset, func(in wire.CreateFromPreset) any {
			return map[string]any{"provider": in.Provider, "value": open(in.Value)}
		})
		checkParser(t, body, parseUpdate, func(in wire.UpdateSecret) any {
			return map[string]any{"value": open(in.Value)}
		})
		checkParser(t, body, parseUser, func(in wire.CreateUser) any { return in })
		checkParser(t, body, parseIdentity, func(in wire.Identity) any { return in })
		checkParser(t, body, parseAPIKey, func(in wire.CreateAPIKey) any { return in })
		checkParser(t, body, parseRename, func(in wire.RenameSecret) any { return in })
		checkParser(t, body, parseWatch, func(in wire.Watch) any { return in })
		checkParser(t, body, parseExpiry, func(in wire.SecretExpiry) any { return in })
		checkParser(t, body, parseImport, func(in wire.ImportSecrets) any {
			all := make([]map[string]any, len(in.Secrets))
			for i, one := range in.Secrets {
				all[i] = map[string]any{
					"name": one.Name, "value": open(one.Value), "provider": one.Provider,
				}
			}
			return map[string]any{"secrets": all, "replace": in.Replace}
		})
		checkParser(t, body, parseRollback, func(in wire.RollbackSecret) any { return in })
	})
}

func open(v plaintext.Value) string { return string(v.Reveal()) }

// checkParser reads a body. What is refused is refused in the envelope and not repeated; what is
// taken means the same when it is written again, in whole and to any reader of JSON.
func checkParser[In, Arg any](
	t *testing.T, body []byte, parse func(In) (Arg, error), write func(In) any,
) {
	t.Helper()
	d := newDecoder[In]()
	if _, err := parseBody(d, parse, post(t, body)); err != nil {
		checkRefusal(t, err, d.order)
		return
	}
	in, _, _ := d.decode(post(t, body))
	written := marshal(t, write(in))
	if _, err := parseBody(d, parse, post(t, written)); err != nil {
		t.Fatalf("%T was taken, written and refused: %v", in, err)
	}
	if again, _, _ := d.decode(post(t, written)); !bytes.Equal(written, marshal(t, write(again))) {
		t.Fatalf("%T does not mean the same when it is written again", in)
	}
	checkOtherReader(t, body, written)
}

func post(t *testing.T, body []byte) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "POST", "/", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	return r
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// checkRefusal looks at an answer to a bad body.
func checkRefusal(t *testing.T, err error, fields []string) {
	t.Helper()
	p := problemOf(err)
	if !slices.Contains([]int{400, 413, 422}, p.status) || len(p.errors) == 0 && p.status != 413 ||
		len(p.errors) > maxFaults {
		t.Fatalf("refused with a %d of %d faults", p.status, len(p.errors))
	}
	said := marshal(t, wire.Problem{
		Code: p.status, Detail: p.detail, Type: typeOf(p.status), Errors: p.errors,
	})
	for _, part := range []string{fuzzCanary, fuzzCanary[:9], fuzzCanary[9:]} {
		if bytes.Contains(said, []byte(part)) || strings.Contains(err.Error(), part) {
			t.Fatal("what was refused is repeated")
		}
	}
	for _, e := range p.errors {
		for _, step := range e.Loc[1:] {
			if name, ok := step.(string); ok && !slices.Contains(fields, name) &&
				!echoablePattern.MatchString(name) {
				t.Fatalf("a name of %d bytes is repeated", len(name))
			}
		}
	}
}

// checkOtherReader reads a body that was taken with encoding/json, which is lenient and must find
// the same in it.
func checkOtherReader(t *testing.T, body, written []byte) {
	t.Helper()
	var theirs, ours map[string]any
	if err := json.Unmarshal(body, &theirs); err != nil {
		t.Fatalf("what was taken is no JSON: %T", err)
	}
	if err := json.Unmarshal(written, &ours); err != nil {
		t.Fatal(err)
	}
	for name, value := range theirs {
		if name == "expires_at" {
			continue // a moment has many spellings
		}
		if got, found := ours[name]; !found || !has(t, got, value) {
			t.Fatalf("%s was taken as something else", name)
		}
	}
}

// has reports whether what was taken has all that was sent: more members may be null.
func has(t *testing.T, got, sent any) bool {
	t.Helper()
	switch sent := sent.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		for name, value := range sent {
			taken, found := got[name]
			ok = ok && found && has(t, taken, value)
		}
		return ok
	case []any:
		got, ok := got.([]any)
		ok = ok && len(got) == len(sent)
		for i := range sent {
			ok = ok && has(t, got[i], sent[i])
		}
		return ok
	}
	return bytes.Equal(marshal(t, got), marshal(t, sent))
}

// agents are seeds: versions in the ways that people write them.
var agents = []string{
	"dreadnode-sdk/1.2.3",
	"dreadnode-sdk/v1.2.3-rc.1+build",
	"keysake/2.0",
	"keysake/2.0.0.post1",
	"a/1.0a1",
	"a/1.0b2",
	"a/1.0.dev3",
	"a/1-rc.2",
	"a/1-rc.10",
	"a/1-rc01",
	"a/1.0.0.0.0.1",
	"a/1.2.3.4.5.6.7",
	"a/99999999999",
	"a",
	"a/",
	"/1",
	"",
	" a/1",
	"a/1 b/2",
	"a/1.",
	"a/.1",
	"a/1..2",
	"a/01.02",
	"a/1-",
	"a/1-é",
}

func FuzzUserAgent(f *testing.F) {
	if len(agents) == 0 {
		f.Fatal("there are no seeds")
	}
	for i, a := range agents {
		f.Add(a, agents[(i+1)%len(agents)], agents[(i+2)%len(agents)])
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		var versions []version
		for _, agent := range []string{a, b, c} {
			name, text := firstProduct(agent)
			if strings.Contains(name, " ") || strings.Contains(text, " ") ||
				strings.Contains(name, "/") {
				t.Fatal("the first product is more than one")
			}
			v, ok := parseVersion(text)
			if ok {
				versions = append(versions, v)
			}
			checkMinimum(t, name, text, ok)
		}
		checkOrder(t, versions)
	})
}

// checkMinimum holds a client against its own version: that is new enough, unless it cannot be
// read.
func checkMinimum(t *testing.T, name, text string, readable bool) {
	t.Helper()
	h := map[string][]string{"User-Agent": {name + "/" + text}}
	own, least := MinClient{Name: name, Version: text}, MinClient{Name: name, Version: "0-!"}
	if err := checkClientVersion([]MinClient{own}, h); readable && err != nil {
		t.Fatal("a client is older than itself")
	}
	err := checkClientVersion([]MinClient{least}, h)
	if (err == nil) != readable && name != "" {
		t.Fatal("the least version is not the least, or one that cannot be read is new enough")
	}
}

// checkOrder checks that the versions have one order.
func checkOrder(t *testing.T, all []version) {
	t.Helper()
	for _, a := range all {
		for _, b := range all {
			if direction(a.compare(b)) != -direction(b.compare(a)) {
				t.Fatalf("%v and %v: each comes before the other", a, b)
			}
			for _, c := range all {
				if a.compare(b) <= 0 && b.compare(c) <= 0 && a.compare(c) > 0 {
					t.Fatalf("%v, %v, %v go round in a circle", a, b, c)
				}
			}
		}
		if a.compare(a) != 0 {
			t.Fatalf("%v is not itself", a)
		}
	}
}

func direction(n int) int { return max(-1, min(1, n)) }

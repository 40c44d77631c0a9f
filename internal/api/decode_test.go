package api_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/wire"
)

// A bad body, and the faults in it, separated by commas: each is a place below body and a type.
type bad struct{ name, body, faults string }

// refuseAll sends bad bodies and checks that each is refused for exactly what is wrong with it.
func (s *site) refuseAll(t *testing.T, path string, status int, all ...bad) {
	t.Helper()
	for _, b := range all {
		got := s.do(t, post(path, s.Key, b.body))
		faults := strings.ReplaceAll(strings.Join(got.faults(t), ", "), "body.", "")
		if got.status != status || faults != b.faults {
			t.Errorf("%s: answered %d for %q, want %d for %q",
				b.name, got.status, faults, status, b.faults)
		}
	}
}

func TestWhatIsNotJSONIsA400(t *testing.T) {
	t.Parallel()
	s := start(t)
	whole := `{"provider":"openai","value":"any-value"}`
	in := func(value string) string { return `{"provider":"openai","value":` + value + `}` }
	var all []bad
	for name, body := range map[string]string{
		"nothing": "", "white space": " \t\r\n", "cut off": whole[:20],
		"two objects": whole + whole, "a letter after it": whole + "x",
		"a bracket after it": whole + "]", "a comma after it": whole + ",",
		"NUL after it": whole + "\x00", "NUL before it": "\x00" + whole,
		"a byte order mark": "\ufeff" + whole, "UTF-16": "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00",
		"a form": "provider=openai&value=any-value", "XML": "<a/>",
		"a comment":        "/**/" + whole,
		"a comma too many": `{"provider":"openai","value":"any-value",}`,
		"single quotes":    `{'provider':'openai'}`,
		"no quotes":        `{provider:"openai"}`, "a number for a name": `{1:"openai"}`,
		"no colon": `{"provider" "openai"}`, "no comma": `{"provider":"openai" "value":"v"}`,
		"broken UTF-8":               in("\"a\xffb\""),
		"UTF-8 cut off":              in("\"a\xe2\x82\""),
		"overlong UTF-8":             in("\"a\xc0\xafb\""),
		"a surrogate":                in("\"\xed\xa0\x80\""),
		"a broken name":              "{\"va\xfflue\":\"v\"}",
		"half a pair":                in(`"\ud800"`),
		"the other half":             in(`"\udc00"`),
		"halves in disorder":         in(`"\udc00\ud800"`),
		"a half and text":            in(`"\ud83dA"`),
		"half a pair in a name":      `{"\ud800":"v"}`,
		"a bare line end":            in("\"a\nb\""),
		"a bare tab":                 in("\"a\tb\""),
		"a bare escape":              in("\"a\x1bb\""),
		"an unknown escape":          in(`"\x41"`),
		"a short escape":             in(`"\u00"`),
		"an octal number":            in("01"),
		"a plus sign":                in("+1"),
		"a hexadecimal":              in("0x1"),
		"not a number":               in("NaN"),
		"infinity":                   in("-Infinity"),
		"a half number":              in("1."),
		"an exponent of nothing":     in("1e"),
		"True":                       in("True"),
		"undefined":                  in("undefined"),
		"an open string":             in(`"any`),
		"brackets that do not match": in("[}"),
	} {
		all = append(all, bad{name, body, "body json_invalid"})
	}
	s.refuseAll(t, presetPath, 400, all...)
}

func TestAnotherValueThanAnObjectIsA422(t *testing.T) {
	t.Parallel()
	s := start(t)
	var all []bad
	for _, body := range []string{
		"null", "[]", `[{"provider":"openai","value":"v"}]`, `"text"`, "7", "-0", "1e999999",
		"true", "false", " null\n",
	} {
		all = append(all, bad{body, body, "body model_attributes_type"})
	}
	for _, path := range []string{presetPath, keysPath} {
		s.refuseAll(t, path, 422, all...)
	}
}

func TestNamesAreTakenAsTheyAreAndOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	const openai, value = `"provider":"openai"`, `"value":"any-value"`
	more := func(members string) string { return "{" + openai + "," + value + "," + members + "}" }
	s.refuseAll(t, presetPath, 422, []bad{
		{"unknown", more(`"extra":1`), "extra extra_forbidden"},
		{"misspelt", "{" + openai + `,"valeu":"v"}`, "valeu extra_forbidden, value missing"},
		{"empty", more(`"":1`), "body extra_forbidden"},
		{"with a space", more(`" value":"v"`), "body extra_forbidden"},
		{"with a dot", more(`"value.x":"v"`), "body extra_forbidden"},
		{"in capitals", "{" + openai + `,"VALUE":"v"}`, "VALUE extra_forbidden, value missing"},
		{
			"with a capital",
			`{"Provider":"openai",` + value + "}",
			"Provider extra_forbidden, provider missing",
		},
		{"both spellings", more(`"Value":"v"`), "Value extra_forbidden"},
		{
			"of the Go type",
			`{"Provider":"openai","Value":"v"}`,
			"Provider extra_forbidden, Value extra_forbidden, provider missing, value missing",
		},
		{
			"with a letter that folds",
			`{"provider":"openai","va\u017fue":"v","value":"v"}`,
			"body extra_forbidden",
		},
		{"of another body", more(`"name":"A"`), "name extra_forbidden"},
		{"twice", more(openai), "provider value_error"},
		{"twice, with another value", more(`"value":"other"`), "value value_error"},
		{"twice, in another spelling", more(`"\u0076alue":"other"`), "value value_error"},
		{"twice, null first", "{" + openai + `,"value":null,` + value + "}", "value value_error"},
		{"twice, and unknown", more(`"a":1,"a":1`), "a value_error"},
		{"twice, further in", more(`"a":{"b":1,"b":1}`), "a.b value_error"},
		{"twice, in a list", more(`"a":[[0],{"b":1,"b":1}]`), "a.1.b value_error"},
		{"twice, and a number", more(`"a":{"12":1,"12":1}`), "a value_error"},
		{"twice, and could be a value", more(`"sk-1":1,"sk-1":1`), "body value_error"},
		{"twice, in what could be a value", more(`"sk-1":{"b":1,"b":1}`), "body value_error"},
	}...)
	escaped := `{"\u0076alue":"any-value","prov\u0069der":"open\u0061i"}`
	s.do(t, post(presetPath, s.Key, escaped)).want(t, 201)
}

func TestEveryMemberHasItsType(t *testing.T) {
	t.Parallel()
	s := start(t)
	wrong := map[string]string{
		"null":            "null",
		"a number":        "7",
		"a huge number":   strings.Repeat("9", 400),
		"a huge exponent": "1e999999999",
		"true":            "true",
		"a list":          `["text"]`,
		"an empty list":   "[]",
		"an object":       `{"a":"text"}`,
		"a string":        `"text"`,
	}
	for _, m := range []struct {
		path, around, member, typ string
		takes                     []string
	}{
		{presetPath, `{"value":"v","provider":%s}`, "provider", "string_type", []string{"a string"}},
		{presetPath, `{"provider":"openai","value":%s}`, "value", "string_type", []string{"a string"}},
		{secretsPath, `{"value":"any-value","name":%s}`, "name", "string_type", []string{"a string"}},
		{secretsPath, `{"name":"ONE","value":%s}`, "value", "string_type", []string{"a string"}},
		{secretsPath, `{"name":"ONE","value":"any-value","provider":%s}`, "provider", "string_type", []string{"a string", "null"}},
		{keysPath, `{"name":%s}`, "name", "string_type", []string{"a string", "null"}},
		{keysPath, `{"allow_self_revoke":%s}`, "allow_self_revoke", "bool_type", []string{"true", "null"}},
		{keysPath, `{"allowed_scopes":%s}`, "allowed_scopes", "list_type", []string{"a list", "an empty list", "null"}},
		{keysPath, `{"expires_at":%s}`, "expires_at", "datetime_parsing", []string{"null"}},
		{usersPath, `{"username":%s}`, "username", "string_type", []string{"a string"}},
		{usersPath, `{"username":"ada","email_address":%s}`, "email_address", "string_type", []string{"a string", "null"}},
	} {
		var all []bad
		for name, value := range wrong {
			if !slices.Contains(m.takes, name) {
				body, what := fmt.Sprintf(m.around, value), m.path+" "+m.member+" of "+name
				all = append(all, bad{what, body, m.member + " " + m.typ})
			}
		}
		s.refuseAll(t, m.path, 422, all...)
	}
}

func TestAnItemOfAListIsAtFaultByItsPlace(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.refuseAll(t, keysPath, 422, []bad{
		{"a number", `{"allowed_scopes":["secrets:read",7]}`, "allowed_scopes.1 string_type"},
		{"null", `{"allowed_scopes":[null]}`, "allowed_scopes.0 string_type"},
		{
			"a list and an object",
			`{"allowed_scopes":[["secrets:read"],"secrets:read",{"a":1}]}`,
			"allowed_scopes.0 string_type, allowed_scopes.2 string_type",
		},
		{"no scope", `{"allowed_scopes":["secrets:read","secrets:reed"]}`, "allowed_scopes enum"},
		{"another case", `{"allowed_scopes":["Admin"]}`, "allowed_scopes enum"},
		{"an empty scope", `{"allowed_scopes":[""]}`, "allowed_scopes enum"},
		{"two in one", `{"allowed_scopes":["secrets:read secrets:write"]}`, "allowed_scopes enum"},
		{
			"too many",
			`{"allowed_scopes":[` + strings.Repeat(`"admin",`, 16) + `"admin"]}`,
			"allowed_scopes too_long",
		},
	}...)
}

func TestSeveralFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.refuseAll(t, secretsPath, 422, []bad{
		{"nothing", `{}`, "name missing, value missing"},
		{
			"everything",
			`{"provider":7,"name":"1A","Value":"v","extra":null}`,
			"provider string_type, Value extra_forbidden, extra extra_forbidden, value missing, " +
				"name string_pattern_mismatch",
		},
		{
			"rules",
			`{"name":"PATH","value":"","provider":""}`,
			"name value_error, value string_too_short, provider string_too_short",
		},
	}...)
	s.refuseAll(t, presetPath, 422,
		bad{"nothing", `{}`, "provider missing, value missing"})
	s.refuseAll(t, usersPath, 422, bad{"nothing", `{}`, "username missing"})
	s.do(t, put(secretsPath+"/"+nowhere, s.Key, `{}`)).refused(t, 422, "body.value missing")
}

func TestAnAnswerIsBoundedHoweverManyFaultsThereAre(t *testing.T) {
	t.Parallel()
	s := start(t)
	var names []string
	for i := range 8000 {
		names = append(
			names,
			`"`+strings.Repeat("a", 1+i%20)+string(rune('a'+i/20%26))+string(rune('a'+i/520))+`":0`,
		)
	}
	for _, c := range []call{
		{path: presetPath, body: "{" + strings.Join(names, ",") + "}"},
		{path: keysPath, body: `{"allowed_scopes":[0` + strings.Repeat(",0", 100_000) + "]}"},
	} {
		c.method, c.key = "POST", s.Key
		got := s.do(t, c).want(t, 422)
		if n := len(got.faults(t)); n == 0 || n > 100 || len(got.body) > 16<<10 {
			t.Errorf("%d faults in %d bytes", n, len(got.body))
		}
	}
}

func TestDeepNestingIsRefusedBeforeItCosts(t *testing.T) {
	t.Parallel()
	s := start(t)
	const open, rest = `{"provider":"openai","value":"any-value","a":`, "}"
	const deep = "body value_error"
	around := func(n int, open, value, end string) string {
		return strings.Repeat(open, n) + value + strings.Repeat(end, n)
	}
	lists := func(n int) string { return around(n, "[", "", "]") }
	objects := func(n int) string { return around(n, `{"a":`, "1", "}") }
	s.refuseAll(t, presetPath, 422, []bad{
		{"lists", open + lists(10_000) + rest, deep},
		{"objects", open + objects(10_000) + rest, deep},
		{"lists for a body", lists(100_000), deep},
		{"objects for a body", objects(40_000), deep},
		{"lists that never end", strings.Repeat("[", 200_000), deep},
		{"one too deep", open + lists(8) + rest, deep},
		{"as deep as may be", open + lists(7) + rest, "a extra_forbidden"},
		{"in a value", `{"provider":"openai","value":` + objects(10_000) + rest, deep},
	}...)
}

func TestANameThatCouldBeAValueIsNotRepeated(t *testing.T) {
	t.Parallel()
	s := start(t)
	digits := strings.Repeat("4", 3)
	for _, name := range []string{
		"sk-" + strings.Repeat("aB3", 13), strings.Repeat("abcde", 8), "key" + digits,
		"correct horse", "a@example.org", strings.Repeat("x", 25), "pässwort", "p-w",
		// the last is only a word
		strings.Repeat("a", 1000), "a\x00b", "a\"b", "\u2022\u2022", "body",
	} {
		body := encode(t, members{"provider": "openai", "value": "any-value", name: "any-value"})
		got := s.do(t, post(presetPath, s.Key, body)).want(t, 422)
		want := []string{"body extra_forbidden"}
		if name == "body" {
			want = []string{"body.body extra_forbidden"}
		}
		if !slices.Equal(got.faults(t), want) ||
			name != "body" && bytes.Contains(got.body, []byte(name)) {
			t.Errorf("a name of %d bytes is repeated", len(name))
		}
	}
}

func TestAnEmptyMessageOnTheWireIsNoBody(t *testing.T) {
	t.Parallel()
	s := start(t)
	for _, chunked := range []bool{false, true} {
		empty := post(keysPath, s.Key, "").with("Content-Type", "application/json")
		empty.chunked = chunked
		s.do(t, empty).refused(t, 400, "body json_invalid")
	}
	s.do(t, post(keysPath, s.Key, "").with("Content-Type")).refused(t, 415)
	made := s.do(t, post(keysPath, s.Key, "\n{\t}\r\n ")).want(t, 201)
	if k := into[wire.APIKey](t, made); k.Name != "" || k.ExpiresAt != nil {
		t.Error("an empty object is not an API key with the defaults")
	}
}

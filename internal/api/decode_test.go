package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

const (
	presetPath = "/api/v1/user/secrets/preset"
	customPath = "/api/v1/user/secrets"
	keysPath   = "/api/v1/user/api-keys"
	usersPath  = "/api/v1/admin/users"
)

// A bad body, and what is said of it.
type bad struct {
	name, body string
	status     int
	faults     []string
}

// refuseAll sends bad bodies, and looks that each is refused for exactly what is wrong with it.
func (s *site) refuseAll(t *testing.T, path string, key plaintext.Value, all []bad) {
	t.Helper()
	for _, b := range all {
		got := s.do(t, post(path, key, b.body))
		if faults := got.faults(t); got.status != b.status || !slices.Equal(faults, b.faults) {
			t.Errorf(
				"%s: answered %d for %q, want %d for %q", b.name, got.status, faults, b.status,
				b.faults,
			)
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
		all = append(all, bad{name, body, 400, []string{"body json_invalid"}})
	}
	s.refuseAll(t, presetPath, s.Key, all)
}

func TestAnotherValueThanAnObjectIsA422(t *testing.T) {
	t.Parallel()
	s := start(t)
	var all []bad
	for _, body := range []string{
		"null", "[]", `[{"provider":"openai","value":"v"}]`, `"text"`, "7", "-0", "1e999999",
		"true", "false", " null\n",
	} {
		all = append(all, bad{body, body, 422, []string{"body model_attributes_type"}})
	}
	for _, path := range []string{presetPath, keysPath} {
		s.refuseAll(t, path, s.Key, all)
	}
}

func TestNamesAreTakenAsTheyAreAndOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	const openai, value = `"provider":"openai"`, `"value":"any-value"`
	twice := []string{"body value_error"}
	s.refuseAll(t, presetPath, s.Key, []bad{
		{
			"unknown",
			"{" + openai + "," + value + `,"extra":1}`,
			422,
			[]string{"body.extra extra_forbidden"},
		},
		{
			"misspelt",
			"{" + openai + `,"valeu":"v"}`,
			422,
			[]string{"body.valeu extra_forbidden", "body.value missing"},
		},
		{"empty", "{" + openai + "," + value + `,"":1}`, 422, []string{"body extra_forbidden"}},
		{
			"with a space",
			"{" + openai + "," + value + `," value":"v"}`,
			422,
			[]string{"body extra_forbidden"},
		},
		{
			"with a dot",
			"{" + openai + "," + value + `,"value.x":"v"}`,
			422,
			[]string{"body extra_forbidden"},
		},
		{
			"in capitals",
			"{" + openai + `,"VALUE":"v"}`,
			422,
			[]string{"body.VALUE extra_forbidden", "body.value missing"},
		},
		{
			"with a capital",
			`{"Provider":"openai",` + value + "}",
			422,
			[]string{"body.Provider extra_forbidden", "body.provider missing"},
		},
		{
			"both spellings",
			"{" + openai + "," + value + `,"Value":"v"}`,
			422,
			[]string{"body.Value extra_forbidden"},
		},
		{
			"of the Go type",
			`{"Provider":"openai","Value":"v"}`,
			422,
			[]string{
				"body.Provider extra_forbidden",
				"body.Value extra_forbidden",
				"body.provider missing",
				"body.value missing",
			},
		},
		{
			"with a letter that folds",
			`{"provider":"openai","va\u017fue":"v","value":"v"}`,
			422,
			[]string{"body extra_forbidden"},
		},
		{
			"of another body",
			"{" + openai + "," + value + `,"name":"A"}`,
			422,
			[]string{"body.name extra_forbidden"},
		},
		{"twice", "{" + openai + "," + value + "," + openai + "}", 422, twice},
		{"twice, with another value", "{" + openai + "," + value + `,"value":"other"}`, 422, twice},
		{
			"twice, in another spelling",
			"{" + openai + "," + value + `,"\u0076alue":"other"}`,
			422,
			twice,
		},
		{"twice, null first", "{" + openai + `,"value":null,` + value + "}", 422, twice},
		{"twice, and unknown", "{" + openai + "," + value + `,"a":1,"a":1}`, 422, twice},
		{"twice, further in", "{" + openai + "," + value + `,"a":{"b":1,"b":1}}`, 422, twice},
	})
	s.do(t, post(presetPath, s.Key, `{"\u0076alue":"any-value","prov\u0069der":"open\u0061i"}`)).want(t, 201)
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
		{presetPath, `{"value":"any-value","provider":%s}`, "provider", "string_type", []string{"a string"}},
		{presetPath, `{"provider":"openai","value":%s}`, "value", "string_type", []string{"a string"}},
		{customPath, `{"value":"any-value","name":%s}`, "name", "string_type", []string{"a string"}},
		{customPath, `{"name":"ONE","value":%s}`, "value", "string_type", []string{"a string"}},
		{customPath, `{"name":"ONE","value":"any-value","provider":%s}`, "provider", "string_type", []string{"a string", "null"}},
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
				all = append(
					all,
					bad{
						m.path + " " + m.member + " of " + name,
						fmt.Sprintf(m.around, value),
						422,
						[]string{"body." + m.member + " " + m.typ},
					},
				)
			}
		}
		s.refuseAll(t, m.path, s.Key, all)
	}
}

func TestAnItemOfAListIsAtFaultByItsPlace(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.refuseAll(t, keysPath, s.Key, []bad{
		{
			"a number",
			`{"allowed_scopes":["secrets:read",7]}`,
			422,
			[]string{"body.allowed_scopes.1 string_type"},
		},
		{"null", `{"allowed_scopes":[null]}`, 422, []string{"body.allowed_scopes.0 string_type"}},
		{
			"a list and an object",
			`{"allowed_scopes":[["secrets:read"],"secrets:read",{"a":1}]}`,
			422,
			[]string{"body.allowed_scopes.0 string_type", "body.allowed_scopes.2 string_type"},
		},
		{
			"no scope",
			`{"allowed_scopes":["secrets:read","secrets:reed"]}`,
			422,
			[]string{"body.allowed_scopes enum"},
		},
		{"another case", `{"allowed_scopes":["Admin"]}`, 422, []string{"body.allowed_scopes enum"}},
		{"an empty scope", `{"allowed_scopes":[""]}`, 422, []string{"body.allowed_scopes enum"}},
		{
			"two in one",
			`{"allowed_scopes":["secrets:read secrets:write"]}`,
			422,
			[]string{"body.allowed_scopes enum"},
		},
		{
			"too many",
			`{"allowed_scopes":[` + strings.Repeat(`"admin",`, 16) + `"admin"]}`,
			422,
			[]string{"body.allowed_scopes too_long"},
		},
	})
}

func TestSeveralFaultsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.refuseAll(t, customPath, s.Key, []bad{
		{"nothing", `{}`, 422, []string{"body.name missing", "body.value missing"}},
		{
			"everything",
			`{"provider":7,"name":"1A","Value":"v","extra":null}`,
			422,
			[]string{
				"body.provider string_type",
				"body.Value extra_forbidden",
				"body.extra extra_forbidden",
				"body.value missing",
				"body.name string_pattern_mismatch",
			},
		},
		{
			"rules",
			`{"name":"PATH","value":"","provider":""}`,
			422,
			[]string{
				"body.name value_error",
				"body.value string_too_short",
				"body.provider string_too_short",
			},
		},
	})
	s.refuseAll(
		t,
		presetPath,
		s.Key,
		[]bad{{"nothing", `{}`, 422, []string{"body.provider missing", "body.value missing"}}},
	)
	s.refuseAll(
		t,
		usersPath,
		s.Key,
		[]bad{{"nothing", `{}`, 422, []string{"body.username missing"}}},
	)
	s.do(t, put(customPath+"/"+uuid.NewString(), s.Key, `{}`)).refused(t, 422, "body.value missing")
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
	deep := []string{"body value_error"}
	lists := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	objects := func(n int) string { return strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n) }
	s.refuseAll(t, presetPath, s.Key, []bad{
		{"lists", open + lists(10_000) + rest, 422, deep},
		{"objects", open + objects(10_000) + rest, 422, deep},
		{"lists for a body", lists(100_000), 422, deep},
		{"objects for a body", objects(40_000), 422, deep},
		{"lists that never end", strings.Repeat("[", 200_000), 422, deep},
		{"one too deep", open + lists(8) + rest, 422, deep},
		{"as deep as may be", open + lists(7) + rest, 422, []string{"body.a extra_forbidden"}},
		{"in a value", `{"provider":"openai","value":` + objects(10_000) + rest, 422, deep},
	})
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
		got := s.do(
			t,
			call{
				method:  "POST",
				path:    keysPath,
				key:     s.Key,
				chunked: chunked,
				header:  http.Header{"Content-Type": {"application/json"}},
			},
		)
		got.refused(t, 400, "body json_invalid")
	}
	s.do(
		t,
		call{method: "POST", path: keysPath, key: s.Key, header: http.Header{"Content-Type": nil}},
	).refused(t, 415)
	made := s.do(t, post(keysPath, s.Key, "\n{\t}\r\n ")).want(t, 201)
	if k := into[wire.APIKey](t, made); k.Name != "" || k.ExpiresAt != nil {
		t.Error("an empty object is not an API key with the defaults")
	}
}

package wire_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/plaintext"
	"github.com/keysake/keysake/wire"
)

// faults are a body's errors, each as its place and its type.
func faults(in interface{ Validate() []wire.FieldError }) []string {
	all := []string{}
	for _, e := range in.Validate() {
		all = append(all, fmt.Sprint(e.Loc...)+" "+e.Type)
	}
	return all
}

func expect(
	t *testing.T,
	what string,
	in interface{ Validate() []wire.FieldError },
	want ...string,
) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), faults(in)); diff != "" {
		t.Errorf("%s:\n%s", what, diff)
	}
}

func named(name string) wire.CreateSecret {
	return wire.CreateSecret{Name: name, Value: plaintext.FromString("v")}
}

func TestANameThatTakesOverAProcessIsRefusedInAnyCase(t *testing.T) {
	for _, name := range []string{
		"PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_", "DYLD_INSERT_LIBRARIES",
		"DYLD_LIBRARY_PATH", "BASH_ENV", "ENV", "IFS", "NODE_OPTIONS",
		"PYTHONPATH", "PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "GIT_SSH_COMMAND", // the contract's
		"BASH_FUNC_ls", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG", "PERL5LIB", "RUBYLIB",
		"PYTHONHOME", "JAVA_TOOL_OPTIONS", "GCONV_PATH",
		// its "…"
		"SHELL", "EDITOR", "PAGER", "PROMPT_COMMAND", "HOME", "OPENSSL_CONF", "GLIBC_TUNABLES",
		"GIT_SSH", "DOTNET_STARTUP_HOOKS",
	} {
		for _, spelling := range []string{
			name, strings.ToLower(name), name[:1] + strings.ToLower(name[1:]),
		} {
			expect(t, spelling, named(spelling), "bodyname value_error")
		}
	}
}

func TestANameThatOnlyLooksReservedIsFine(t *testing.T) {
	for _, name := range []string{
		"MY_PATH", "PATH_TO_KEY", "PATHS", "_PATH", "LD", "LDAP_PASSWORD", "LDA", "DYLD",
		"ENVIRONMENT", "ENV_KEY", "MY_ENV", "BASH_ENV_KEY",
		"NODE_AUTH_TOKEN", "PYTHON_KEYRING", "GIT_TOKEN", "GITHUB_TOKEN", "RUBYGEMS_API_KEY", "A",
		"_", "a", "z9", "OPENAI_API_KEY",
		strings.Repeat("A", 128), "_" + strings.Repeat("9", 127),
	} {
		expect(t, name, named(name))
	}
}

func TestANameIsThatOfAVariable(t *testing.T) {
	for name, want := range map[string]string{
		"":                       "string_too_short",
		strings.Repeat("A", 129): "string_too_long",
		"1A":                     "string_pattern_mismatch",
		"A B":                    "string_pattern_mismatch",
		"A-B":                    "string_pattern_mismatch",
		"A=B":                    "string_pattern_mismatch",
		"A\n":                    "string_pattern_mismatch",
		"\nA":                    "string_pattern_mismatch",
		"A\x00":                  "string_pattern_mismatch",
		"É":                      "string_pattern_mismatch",
		"Ａ":                      "string_pattern_mismatch",
		"A$":                     "string_pattern_mismatch",
		" ":                      "string_pattern_mismatch",
	} {
		expect(t, fmt.Sprintf("%q", name), named(name), "bodyname "+want)
	}
}

func TestAValueHasOneTo65536BytesOfUTF8WithoutNUL(t *testing.T) {
	const most = 65536
	for what, c := range map[string]struct {
		value string
		want  []string
	}{
		"nothing":                      {"", []string{"bodyvalue string_too_short"}},
		"one byte":                     {"v", nil},
		"the most there may be":        {strings.Repeat("v", most), nil},
		"one byte too many":            {strings.Repeat("v", most+1), []string{"bodyvalue string_too_long"}},
		"the most, of two-byte runes":  {strings.Repeat("é", most/2), nil},
		"too many bytes, few of runes": {strings.Repeat("é", most/2) + "v", []string{"bodyvalue string_too_long"}},
		"NUL":                          {"a\x00b", []string{"bodyvalue value_error"}},
		"NUL alone":                    {"\x00", []string{"bodyvalue value_error"}},
		"broken UTF-8":                 {"a\xffb", []string{"bodyvalue value_error"}},
		"half a surrogate":             {"\xed\xa0\x80", []string{"bodyvalue value_error"}},
		// a rule for presets, which the server knows
		"white space":        {" \t\r\n", nil},
		"control characters": {"\x01\x1b[0m", nil},
	} {
		value := plaintext.FromString(c.value)
		expect(t, what, wire.UpdateSecret{Value: value}, c.want...)
		expect(t, what, wire.CreateFromPreset{Provider: "openai", Value: value}, c.want...)
		expect(t, what, wire.CreateSecret{Name: "A", Value: value}, c.want...)
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	empty := ""
	expect(
		t,
		"a secret",
		wire.CreateSecret{Provider: &empty},
		"bodyname string_too_short",
		"bodyvalue string_too_short",
		"bodyprovider string_too_short",
	)
	email := "@"
	expect(
		t,
		"a user",
		wire.CreateUser{EmailAddress: &email},
		"bodyusername string_too_short",
		"bodyemail_address string_pattern_mismatch",
	)
	name, scopes := "\x00", make([]string, 17)
	expect(
		t,
		"a key",
		wire.CreateAPIKey{Name: &name, AllowedScopes: &scopes, ExpiresAt: &wire.Timestamp{}},
		"bodyname string_pattern_mismatch",
		"bodyallowed_scopes too_long",
		"bodyexpires_at value_error",
	)
}

func TestAUsernameIsOfAFewCharactersAndAnEmailAddressLooksLikeOne(t *testing.T) {
	for username, want := range map[string][]string{
		"a": nil, "ada": nil, "ada.l-o_v": nil, "0": nil, strings.Repeat("a", 64): nil,
		"":                                     {"bodyusername string_too_short"},
		strings.Repeat("a", 65):                {"bodyusername string_too_long"},
		"Ada":                                  {"bodyusername string_pattern_mismatch"},
		".ada":                                 {"bodyusername string_pattern_mismatch"},
		"-ada":                                 {"bodyusername string_pattern_mismatch"},
		"a b":                                  {"bodyusername string_pattern_mismatch"},
		"ada\n":                                {"bodyusername string_pattern_mismatch"},
		"adä":                                  {"bodyusername string_pattern_mismatch"},
		"01a20765-c4ff-7d38-ae4e-f7a9f0b47e56": {"bodyusername value_error"},
		"01a20765c4ff7d38ae4ef7a9f0b47e56":     {"bodyusername value_error"},
		"01a20765-c4ff-7d38-ae4e-f7a9f0b47e5":  nil,
	} {
		expect(t, fmt.Sprintf("%q", username), wire.CreateUser{Username: username}, want...)
	}
	for email, want := range map[string][]string{
		"": nil, "ada@example.org": nil, "ü@example.org": nil, "a@b": nil,
		strings.Repeat("a", 252) + "@b": nil,
		strings.Repeat("a", 253) + "@b": {"bodyemail_address string_too_long"},
		"ada":                           {"bodyemail_address string_pattern_mismatch"},
		"ada@":                          {"bodyemail_address string_pattern_mismatch"},
		"@example.org":                  {"bodyemail_address string_pattern_mismatch"},
		"a@b@c":                         {"bodyemail_address string_pattern_mismatch"},
		"a b@c":                         {"bodyemail_address string_pattern_mismatch"},
		"a@b\n":                         {"bodyemail_address string_pattern_mismatch"},
		"a\x1b@b":                       {"bodyemail_address string_pattern_mismatch"},
		"a\u202e@b":                     {"bodyemail_address string_pattern_mismatch"},
	} {
		expect(
			t,
			fmt.Sprintf("%q", email),
			wire.CreateUser{Username: "ada", EmailAddress: &email},
			want...)
	}
}

func TestTheNameOfAnAPIKeyIsTextThatNoTerminalObeys(t *testing.T) {
	for name, want := range map[string][]string{
		"": nil, "continuous integration": nil, "Überwachung 🔑": nil, strings.Repeat("é", 128): nil,
		strings.Repeat("é", 129): {"bodyname string_too_long"},
		"a\x1b[31mb":             {"bodyname string_pattern_mismatch"},
		"a\nb":                   {"bodyname string_pattern_mismatch"},
		"a\x7fb":                 {"bodyname string_pattern_mismatch"},
		"a\u0085b":               {"bodyname string_pattern_mismatch"},
		"a\u202eb":               {"bodyname string_pattern_mismatch"},
		"a\u200bb":               {"bodyname string_pattern_mismatch"},
	} {
		expect(t, fmt.Sprintf("%q", name), wire.CreateAPIKey{Name: &name}, want...)
	}
}

func TestAnExpiryThatIsPastForEveryClockIsRefused(t *testing.T) {
	for text, want := range map[string][]string{
		"2099-01-01T00:00:00Z": nil,
		"9999-12-31T23:59:59Z": nil,
		"1970-01-01T00:00:01Z": nil, // past, as the server's clock will tell
		"1970-01-01T00:00:00Z": {"bodyexpires_at value_error"},
		// what a Go program writes for no time at all
		"0001-01-01T00:00:00Z":                {"bodyexpires_at value_error"},
		"0001-01-01T01:00:00+01:00":           {"bodyexpires_at value_error"},
		"0001-01-01T00:00:00.000000001Z":      {"bodyexpires_at value_error"},
		"0000-01-01T00:00:00Z":                {"bodyexpires_at value_error"},
		"0001-01-01T00:00:00.000000999+00:00": {"bodyexpires_at value_error"},
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		expect(t, text, wire.CreateAPIKey{ExpiresAt: &wire.Timestamp{Time: at}}, want...)
	}
}

package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// broken are the rules that an error says are broken, each as its field and its rule.
func broken(t tester, err error) []string {
	t.Helper()
	rules := map[vault.Rule]string{
		vault.OneOf: "one of", vault.TooShort: "too short", vault.TooLong: "too long",
		vault.TooMany: "too many", vault.TooSmall: "too small", vault.Pattern: "pattern",
		vault.GoodValue: "value", vault.Required: "required", vault.TooFew: "too few",
		vault.UUID: "uuid",
	}
	all := []string{}
	if err == nil {
		return all
	}
	e, ok := errors.AsType[*vault.Error](err)
	if !ok || e.Kind != vault.Invalid || len(e.Fields) == 0 {
		t.Fatalf("it is no broken rule: %v", err)
	}
	for _, f := range e.Fields {
		if f.Msg == "" {
			t.Errorf("%s has no message", f.Name)
		}
		all = append(all, f.Name+" "+rules[f.Rule])
	}
	return all
}

func assertBroken(t tester, what string, err error, want ...string) {
	t.Helper()
	if diff := cmp.Diff(append([]string{}, want...), broken(t, err)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestANameThatTakesOverAProcessIsReservedInAnyCase(t *testing.T) {
	for _, name := range []string{
		// the contract's
		"PATH", "LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "LD_", "DYLD_INSERT_LIBRARIES",
		"DYLD_LIBRARY_PATH", "BASH_ENV", "ENV", "IFS", "NODE_OPTIONS", "PYTHONPATH",
		"PYTHONSTARTUP", "PERL5OPT", "RUBYOPT", "GIT_SSH_COMMAND",
		// its "…"
		"BASH_FUNC_ls", "GIT_CONFIG_COUNT", "GIT_CONFIG_KEY_0", "GIT_CONFIG", "PERL5LIB", "RUBYLIB",
		"PYTHONHOME", "JAVA_TOOL_OPTIONS", "GCONV_PATH", "SHELL", "EDITOR", "PAGER",
		"PROMPT_COMMAND", "HOME", "OPENSSL_CONF", "GLIBC_TUNABLES", "GIT_SSH",
		"DOTNET_STARTUP_HOOKS",
	} {
		for _, text := range []string{
			name, strings.ToLower(name), name[:1] + strings.ToLower(name[1:]),
		} {
			_, err := vault.NewName(text)
			assertBroken(t, text, err, "name value")
		}
	}
}

func TestANameThatOnlyLooksReservedIsFine(t *testing.T) {
	for _, text := range []string{
		"MY_PATH", "PATH_TO_KEY", "PATHS", "_PATH", "LD", "LDAP_PASSWORD", "LDA", "DYLD",
		"ENVIRONMENT", "ENV_KEY", "MY_ENV", "BASH_ENV_KEY", "NODE_AUTH_TOKEN", "PYTHON_KEYRING",
		"GIT_TOKEN", "GITHUB_TOKEN", "RUBYGEMS_API_KEY", "A", "_", "a", "z9", "OPENAI_API_KEY",
		strings.Repeat("A", 128), "_" + strings.Repeat("9", 127),
	} {
		name, err := vault.NewName(text)
		assertBroken(t, text, err)
		if name.String() != text {
			t.Errorf("the name %s became %s", text, name)
		}
	}
}

func TestANameIsThatOfAVariable(t *testing.T) {
	for text, want := range map[string]string{
		"": "too short", strings.Repeat("A", 129): "too long",
		"1A": "pattern", "A B": "pattern", "A-B": "pattern", "A=B": "pattern", "A\n": "pattern",
		"\nA": "pattern", "A\x00": "pattern", "É": "pattern", "Ａ": "pattern", "A$": "pattern",
		" ": "pattern",
	} {
		_, err := vault.NewName(text)
		assertBroken(t, fmt.Sprintf("%q", text), err, "name "+want)
	}
}

func TestAValueHasOneTo65536BytesOfUTF8WithoutNUL(t *testing.T) {
	const most = 65536
	for what, c := range map[string]struct {
		value string
		want  []string
	}{
		"nothing":                      {"", []string{"value too short"}},
		"one byte":                     {"v", nil},
		"the most there may be":        {strings.Repeat("v", most), nil},
		"one byte too many":            {strings.Repeat("v", most+1), []string{"value too long"}},
		"the most, of two-byte runes":  {strings.Repeat("é", most/2), nil},
		"too many bytes, few of runes": {strings.Repeat("é", most/2) + "v", []string{"value too long"}},
		"NUL":                          {"a\x00b", []string{"value value"}},
		"NUL alone":                    {"\x00", []string{"value value"}},
		"broken UTF-8":                 {"a\xffb", []string{"value value"}},
		"half a surrogate":             {"\xed\xa0\x80", []string{"value value"}},
		"white space":                  {" \t\r\n", nil}, // refused for presets only
		"control characters":           {"\x01\x1b[0m", nil},
	} {
		_, err := vault.NewValue(plaintext.FromString(c.value))
		assertBroken(t, what, err, c.want...)
	}
}

func TestAUsernameIsOfAFewCharactersAndNoID(t *testing.T) {
	for text, want := range map[string][]string{
		"a": nil, "ada": nil, "ada.l-o_v": nil, "0": nil, strings.Repeat("a", 64): nil,
		"":                                     {"username too short"},
		strings.Repeat("a", 65):                {"username too long"},
		"Ada":                                  {"username pattern"},
		".ada":                                 {"username pattern"},
		"-ada":                                 {"username pattern"},
		"a b":                                  {"username pattern"},
		"ada\n":                                {"username pattern"},
		"adä":                                  {"username pattern"},
		"01a20765-c4ff-7d38-ae4e-f7a9f0b47e56": {"username value"},
		"01a20765c4ff7d38ae4ef7a9f0b47e56":     {"username value"},
		"01a20765-c4ff-7d38-ae4e-f7a9f0b47e5":  nil,
	} {
		_, err := vault.NewUsername(text)
		assertBroken(t, fmt.Sprintf("%q", text), err, want...)
	}
}

func TestAnEmailAddressLooksLikeOne(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "ada@example.org": nil, "ü@example.org": nil, "a@b": nil,
		strings.Repeat("a", 252) + "@b": nil,
		strings.Repeat("a", 253) + "@b": {"email_address too long"},
		"ada":                           {"email_address pattern"},
		"ada@":                          {"email_address pattern"},
		"@example.org":                  {"email_address pattern"},
		"a@b@c":                         {"email_address pattern"},
		"a b@c":                         {"email_address pattern"},
		"a@b\n":                         {"email_address pattern"},
		"a\x1b@b":                       {"email_address pattern"},
		"a\u202e@b":                     {"email_address pattern"},
	} {
		_, err := vault.NewEmail(text)
		assertBroken(t, fmt.Sprintf("%q", text), err, want...)
	}
}

func TestTheNameOfAnAPIKeyIsTextThatNoTerminalObeys(t *testing.T) {
	for text, want := range map[string][]string{
		"": nil, "continuous integration": nil, "Überwachung 🔑": nil, strings.Repeat("é", 128): nil,
		strings.Repeat("é", 129): {"name too long"},
		"a\x1b[31mb":             {"name pattern"},
		"a\nb":                   {"name pattern"},
		"a\x7fb":                 {"name pattern"},
		"a\u0085b":               {"name pattern"},
		"a\u202eb":               {"name pattern"},
		"a\u200bb":               {"name pattern"},
	} {
		_, err := vault.NewKeyName(text)
		assertBroken(t, fmt.Sprintf("%q", text), err, want...)
	}
}

func TestAnExpiryThatIsPastForEveryClockIsRefused(t *testing.T) {
	for text, want := range map[string][]string{
		"2099-01-01T00:00:00Z": nil,
		"9999-12-31T23:59:59Z": nil,
		"1970-01-01T00:00:01Z": nil, // past, as the clock will tell
		"1970-01-01T00:00:00Z": {"expires_at value"},
		// which in UTC is of a year that nothing can write
		"9999-12-31T23:59:59-01:00": {"expires_at value"},
		// what a Go program writes for no time at all
		"0001-01-01T00:00:00Z":                {"expires_at value"},
		"0001-01-01T01:00:00+01:00":           {"expires_at value"},
		"0001-01-01T00:00:00.000000001Z":      {"expires_at value"},
		"0000-01-01T00:00:00Z":                {"expires_at value"},
		"0001-01-01T00:00:00.000000999+00:00": {"expires_at value"},
	} {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			t.Fatal(err)
		}
		_, err = vault.NewExpiry(at)
		assertBroken(t, text, err, want...)
	}
}

func TestBrokenRulesAreToldAtOnce(t *testing.T) {
	_, name := vault.NewName("")
	_, value := vault.NewValue(plaintext.Value{})
	_, provider := vault.NewProvider("")
	_, scopes := vault.NewScopes(make([]string, 17))
	_, version := vault.NewVersionNumber(0)
	_, limits := vault.NewLimits(0, 101)
	assertBroken(t, "all", vault.JoinInvalid(name, nil, value, provider, scopes, version, limits),
		"name too short", "value too short", "provider too short", "allowed_scopes too many",
		"version too small", "secrets too small", "versions value")

	_, fine := vault.NewLimits(1, 100)
	assertBroken(t, "none", vault.JoinInvalid(nil, fine))
	other := &vault.Error{Kind: vault.Denied}
	if err := vault.JoinInvalid(name, other); !errors.Is(err, other) {
		t.Errorf("an error of another kind: got %v", err)
	}
}

package wire

import (
	"bytes"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/keysake/keysake/plaintext"
)

// A Secret is what anybody may see of a secret: never its value.
type Secret struct {
	ID          string  `json:"id"`       // UUID
	Name        string  `json:"name"`     // the environment variable it becomes
	Provider    *string `json:"provider"` // null for a custom secret without one
	MaskedValue string  `json:"masked_value"`
	CreatedAt   Time    `json:"created_at"`
	UpdatedAt   Time    `json:"updated_at"`
}

// SecretList is the answer to GET /user/secrets, ordered by name.
type SecretList struct {
	Secrets []Secret `json:"secrets"`
	Total   int      `json:"total"`
}

// A Preset is a provider from which a secret can be created.
type Preset struct {
	Provider   string `json:"provider"`
	EnvVarName string `json:"env_var_name"`
	// Configured: this user owns a secret of that provider, or one with that name.
	Configured bool `json:"configured"`
}

// PresetList is the answer to GET /user/secrets/presets.
type PresetList struct {
	Presets []Preset `json:"presets"`
}

// CreateSecret is the body of POST /user/secrets.
type CreateSecret struct {
	Name     string          `json:"name" required:"true"`
	Value    plaintext.Value `json:"value" required:"true"`
	Provider *string         `json:"provider"`
}

// CreateFromPreset is the body of POST /user/secrets/preset.
type CreateFromPreset struct {
	Provider string          `json:"provider" required:"true"`
	Value    plaintext.Value `json:"value" required:"true"`
}

// UpdateSecret is the body of PUT /user/secrets/{secret_id}.
type UpdateSecret struct {
	Value plaintext.Value `json:"value" required:"true"`
}

// Validate tells which fields break a rule of the contract.
func (in CreateSecret) Validate() []FieldError {
	bad := append(validName(in.Name), validValue(in.Value)...)
	if in.Provider != nil && *in.Provider == "" {
		bad = append(
			bad,
			bodyField(
				"provider",
				TypeTooShort,
				"Provider must not be empty: leave it out for a custom secret",
			),
		)
	}
	return bad
}

// Validate tells which fields break a rule of the contract. Which providers there are is the
// server's to know.
func (in CreateFromPreset) Validate() []FieldError { return validValue(in.Value) }

// Validate tells which fields break a rule of the contract.
func (in UpdateSecret) Validate() []FieldError { return validValue(in.Value) }

// validValue says whether v may be stored: 1 to [MaxValueBytes] bytes of UTF-8 without NUL, which
// no environment variable can hold. The stricter rule for the values of presets is the server's.
func validValue(v plaintext.Value) []FieldError {
	b := v.Reveal()
	bad := func(typ, msg string) []FieldError { return []FieldError{bodyField("value", typ, msg)} }
	switch {
	case len(b) == 0:
		return bad(TypeTooShort, "Value must not be empty")
	case len(b) > MaxValueBytes:
		return bad(TypeTooLong, "Value must have at most "+itoa(MaxValueBytes)+" bytes")
	case !utf8.Valid(b):
		return bad(TypeValue, "Value must be valid UTF-8")
	case bytes.IndexByte(b, 0) >= 0:
		return bad(TypeValue, "Value must not contain a NUL character")
	}
	return nil
}

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// validName accepts the name of an environment variable, but none that takes over the process that
// gets it.
func validName(name string) []FieldError {
	bad := func(typ, msg string) []FieldError { return []FieldError{bodyField("name", typ, msg)} }
	switch {
	case name == "":
		return bad(TypeTooShort, "Name must not be empty")
	case len(name) > MaxNameLength:
		return bad(TypeTooLong, "Name must have at most "+itoa(MaxNameLength)+" characters")
	case !namePattern.MatchString(name):
		return bad(
			TypePattern,
			"Name must have letters, digits and underscores only, and not begin with a digit",
		)
	case takesOver(name):
		return bad(
			TypeValue,
			"Name is reserved: a variable of this name changes what a program runs or loads",
		)
	}
	return nil
}

// takesOver is true for the variables by which whoever sets them makes a shell, a loader, an
// interpreter or a common tool run or load something of their choice. The comparison ignores case,
// as Windows does.
func takesOver(name string) bool {
	upper := strings.ToUpper(name)
	if strings.HasPrefix(upper, "LD_") || strings.HasPrefix(upper, "DYLD_") ||
		strings.HasPrefix(
			upper,
			"BASH_FUNC_",
		) || strings.HasPrefix(upper, "GIT_CONFIG") || strings.HasPrefix(upper, "LUA_INIT") {
		return true
	}
	// The contract's list, and its "…" filled in with the same class of names from the manuals of
	// the shells, glibc, CPython, Node.js, Perl, Ruby, the JVM, .NET, PHP, Git, OpenSSL and the
	// usual pagers and editors.
	switch upper {
	case "PATH",
		"PATHEXT",
		"COMSPEC",
		"SHELL",
		"SHELLOPTS",
		"BASHOPTS",
		"BASH_ENV",
		"ENV",
		"IFS",
		"CDPATH",
		"GLOBIGNORE",
		"PS4",
		"PROMPT_COMMAND",
		"ZDOTDIR",
		"HOME",
		"TMPDIR",
		"GCONV_PATH",
		"LOCPATH",
		"NLSPATH",
		"GETCONF_DIR",
		"HOSTALIASES",
		"RES_OPTIONS",
		"MALLOC_TRACE",
		"GLIBC_TUNABLES",
		"NODE_OPTIONS",
		"NPM_CONFIG_NODE_OPTIONS",
		"ELECTRON_RUN_AS_NODE",
		"JULIA_LOAD_PATH",
		"VIMINIT",
		"EXINIT",
		"NODE_PATH",
		"NODE_REPL_EXTERNAL_MODULE",
		"PYTHONPATH",
		"PYTHONSTARTUP",
		"PYTHONHOME",
		"PYTHONINSPECT",
		"PYTHONUSERBASE",
		"PYTHONEXECUTABLE",
		"PYTHONBREAKPOINT",
		"PYTHONWARNINGS",
		"PYTHONPLATLIBDIR",
		"PYTHONPYCACHEPREFIX",
		"PERL5OPT",
		"PERL5LIB",
		"PERLLIB",
		"PERL5DB",
		"RUBYOPT",
		"RUBYLIB",
		"JAVA_TOOL_OPTIONS",
		"JDK_JAVA_OPTIONS",
		"_JAVA_OPTIONS",
		"CLASSPATH",
		"MAVEN_OPTS",
		"GRADLE_OPTS",
		"DOTNET_STARTUP_HOOKS",
		"DOTNET_ADDITIONAL_DEPS",
		"COR_PROFILER",
		"COR_PROFILER_PATH",
		"CORECLR_PROFILER",
		"CORECLR_PROFILER_PATH",
		"PHPRC",
		"PHP_INI_SCAN_DIR",
		"LUA_PATH",
		"LUA_CPATH",
		"R_PROFILE",
		"R_PROFILE_USER",
		"R_ENVIRON",
		"GIT_SSH",
		"GIT_SSH_COMMAND",
		"GIT_ASKPASS",
		"GIT_EDITOR",
		"GIT_SEQUENCE_EDITOR",
		"GIT_PAGER",
		"GIT_EXTERNAL_DIFF",
		"GIT_PROXY_COMMAND",
		"GIT_EXEC_PATH",
		"GIT_TEMPLATE_DIR",
		"GIT_DIR",
		"GIT_WORK_TREE",
		"SSH_ASKPASS",
		"SUDO_ASKPASS",
		"OPENSSL_CONF",
		"OPENSSL_ENGINES",
		"OPENSSL_MODULES",
		"EDITOR",
		"VISUAL",
		"PAGER",
		"MANPAGER",
		"LESSOPEN",
		"LESSCLOSE",
		"BROWSER",
		"TERMINFO",
		"TERMINFO_DIRS",
		"TERMCAP",
		"RUSTC_WRAPPER",
		"RUSTC_WORKSPACE_WRAPPER",
		"RUSTFLAGS",
		"GOFLAGS",
		"CGO_CFLAGS",
		"CGO_LDFLAGS",
		"MAKEFLAGS",
		"MAKEFILES":
		return true
	}
	return false
}

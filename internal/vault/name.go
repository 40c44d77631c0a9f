package vault

import (
	"fmt"
	"regexp"
	"strings"
)

// A Name is the name of a secret: the environment variable that it becomes. The zero Name is
// refused wherever a name is needed.
type Name struct{ text string }

// NewName returns the name of that text. Invalid: it is not the name of an environment variable, or
// it is reserved.
func NewName(text string) (Name, error) {
	if err := checkName(text); err != nil {
		return Name{}, err
	}
	return Name{text}, nil
}

func (n Name) String() string { return n.text }

var namePattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

func checkName(text string) error {
	broken := func(r Rule, msg string) error { return invalid(Field{"name", r, msg}) }
	switch {
	case text == "":
		return broken(TooShort, "Name must not be empty")
	case len(text) > maxName:
		return broken(TooLong, fmt.Sprintf("Name must have at most %d characters", maxName))
	case !namePattern.MatchString(text):
		return broken(Pattern,
			"Name must have letters, digits and underscores only, and not begin with a digit")
	case isReserved(text):
		return broken(GoodValue,
			"Name is reserved: a variable of this name changes what a program runs or loads")
	}
	return nil
}

// isReserved reports whether a variable of this name makes a shell, a loader, an interpreter or a
// common tool run or load what its value says. Case does not matter, as it does not to Windows.
//
// The names are the contract's, and others of the same class from the manuals of the shells, glibc,
// CPython, Node.js, Perl, Ruby, the JVM, .NET, PHP, Git, OpenSSL and the usual pagers and editors.
func isReserved(name string) bool {
	upper := strings.ToUpper(name)
	for _, prefix := range []string{"LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG", "LUA_INIT"} {
		if strings.HasPrefix(upper, prefix) {
			return true
		}
	}
	switch upper {
	case "PATH", "PATHEXT", "COMSPEC", "SHELL", "SHELLOPTS", "BASHOPTS", "BASH_ENV", "ENV", "IFS",
		"CDPATH", "GLOBIGNORE", "PS4", "PROMPT_COMMAND", "ZDOTDIR", "HOME", "TMPDIR", "GCONV_PATH",
		"LOCPATH", "NLSPATH", "GETCONF_DIR", "HOSTALIASES", "RES_OPTIONS", "MALLOC_TRACE",
		"GLIBC_TUNABLES", "NODE_OPTIONS", "NPM_CONFIG_NODE_OPTIONS", "ELECTRON_RUN_AS_NODE",
		"JULIA_LOAD_PATH", "VIMINIT", "EXINIT", "NODE_PATH", "NODE_REPL_EXTERNAL_MODULE",
		"PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONINSPECT", "PYTHONUSERBASE",
		"PYTHONEXECUTABLE", "PYTHONBREAKPOINT", "PYTHONWARNINGS", "PYTHONPLATLIBDIR",
		"PYTHONPYCACHEPREFIX", "PERL5OPT", "PERL5LIB", "PERLLIB", "PERL5DB", "RUBYOPT", "RUBYLIB",
		"JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "_JAVA_OPTIONS", "CLASSPATH", "MAVEN_OPTS",
		"GRADLE_OPTS", "DOTNET_STARTUP_HOOKS", "DOTNET_ADDITIONAL_DEPS", "COR_PROFILER",
		"COR_PROFILER_PATH", "CORECLR_PROFILER", "CORECLR_PROFILER_PATH", "PHPRC",
		"PHP_INI_SCAN_DIR", "LUA_PATH", "LUA_CPATH", "R_PROFILE", "R_PROFILE_USER", "R_ENVIRON",
		"GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS", "GIT_EDITOR", "GIT_SEQUENCE_EDITOR",
		"GIT_PAGER", "GIT_EXTERNAL_DIFF", "GIT_PROXY_COMMAND", "GIT_EXEC_PATH", "GIT_TEMPLATE_DIR",
		"GIT_DIR", "GIT_WORK_TREE", "SSH_ASKPASS", "SUDO_ASKPASS", "OPENSSL_CONF",
		"OPENSSL_ENGINES", "OPENSSL_MODULES", "EDITOR", "VISUAL", "PAGER", "MANPAGER", "LESSOPEN",
		"LESSCLOSE", "BROWSER", "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "RUSTC_WRAPPER",
		"RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "GOFLAGS", "CGO_CFLAGS", "CGO_LDFLAGS", "MAKEFLAGS",
		"MAKEFILES":
		return true
	}
	return false
}

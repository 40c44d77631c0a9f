package environ

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/keysake/keysake/plaintext"
)

// A Setting is a variable with its value.
type Setting struct {
	Name  string
	Value plaintext.Value
}

// An Environment is what a program gets beside its secrets.
type Environment struct {
	Base   []string // NAME=value, as the system has it
	Clean  bool     // keep of Base only what every program needs
	Keep   bool     // what Base has stays as it is
	Remove []string // names that are left out
}

// With returns the environment with these settings, as NAME=value, and the names of those that it
// had another value for: they were replaced or, with Keep, they were kept. An error names the
// setting that cannot be in an environment.
func (e Environment) With(settings []Setting) (all, had []string, err error) {
	values := map[string]string{}
	for _, entry := range e.Base {
		name, value, found := strings.Cut(entry, "=")
		if slices.Contains(e.Remove, name) || e.Clean && (!found || !isBasic(name)) {
			continue
		}
		all = append(all, entry)
		if _, twice := values[name]; found && !twice {
			values[name] = value
		}
	}
	for _, s := range settings {
		if bytes.IndexByte(s.Value.Reveal(), 0) >= 0 {
			return nil, nil, fmt.Errorf("%s has a NUL byte, which no variable can have: "+
				"use --file for it", s.Name)
		}
		value := string(s.Value.Reveal())
		if before, set := values[s.Name]; set {
			if before != value {
				had = append(had, s.Name)
			}
			if e.Keep {
				continue
			}
			all = slices.DeleteFunc(all, func(entry string) bool {
				return strings.HasPrefix(entry, s.Name+"=")
			})
		}
		all = append(all, s.Name+"="+value)
	}
	return all, had, nil
}

// isBasic reports whether a clean environment has this variable.
func isBasic(name string) bool {
	switch name {
	case "PATH", "HOME", "TERM", "LANG", "LANGUAGE":
		return true
	}
	return strings.HasPrefix(name, "LC_")
}

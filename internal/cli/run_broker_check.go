package cli

import (
	"regexp"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/wire"
)

// What an answer may lead a command by. Anything else could be a program for who reads a variable.
var (
	brokerPath = regexp.MustCompile(`^(/[A-Za-z0-9@._~-]+)*/?$`)
	gitUser    = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)
)

// isLeading reports whether an answer for a secret leads a command to the broker, and does nothing
// else to it: who answers in the server's place must run or load nothing on this machine. Where git
// and gh are led away from is what the program's own catalog says of the provider.
func isLeading(known *catalog.Catalog, s wire.BrokeredSecret) bool {
	entry, _ := known.Entry(s.Provider)
	variables := slices.Clone(s.Unset)
	for _, v := range s.BaseURLs {
		if !brokerPath.MatchString(v.Path) {
			return false
		}
		variables = append(variables, v.Name)
	}
	for _, g := range s.Git {
		if !slices.Contains(entry.Client.Git, g.URL) || !brokerPath.MatchString(g.Path) ||
			!gitUser.MatchString(g.User) {
			return false
		}
	}
	notGH := func(host string) bool { return !slices.Contains(entry.Client.GH, host) }
	return !slices.ContainsFunc(s.GH, notGH) && !slices.ContainsFunc(variables, isNotLeading)
}

// isNotLeading reports whether a variable is no address of a provider and no credential: it makes a
// program run or load something, or says what it trusts and by which way it connects.
func isNotLeading(name string) bool {
	upper := strings.ToUpper(name)
	return checkVariable(name) != nil || strings.HasSuffix(upper, "_PROXY") ||
		slices.Contains(rootVariables(), upper) || strings.HasPrefix(upper, "SSL_CERT_") ||
		strings.HasPrefix(upper, "KEYSAKE_") || upper == "GH_CONFIG_DIR" ||
		strings.HasPrefix(upper, "GIT_")
}

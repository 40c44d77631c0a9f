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
// and gh are led away from is what the program's own catalog says of the provider, and no variable
// is one that this has for other providers alone.
func isLeading(known *catalog.Catalog, s wire.BrokeredSecret) bool {
	entry, _ := known.Entry(s.Provider)
	variables := slices.Clone(s.Unset)
	for _, v := range s.BaseURLs {
		if !brokerPath.MatchString(v.Path) || isOfOthers(known, v.Name, s.Provider) {
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

// isOfOthers reports whether programs of other providers read their address from a variable, and
// those of this one do not.
func isOfOthers(known *catalog.Catalog, variable, provider string) (others bool) {
	for _, p := range known.Presets() {
		entry, _ := known.Entry(p.ID)
		reads := slices.ContainsFunc(entry.Client.BaseURL, func(b catalog.BaseURL) bool {
			return b.Env == variable
		})
		if reads && p.ID == provider {
			return false
		}
		others = others || reads
	}
	return others
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

package catalog

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// A place is where a check looks: an entry, and a path in it as the YAML has it. Faults gather;
// nothing stops at the first.
type place struct {
	entry  string
	path   string
	faults *[]error
}

// in returns a place further inside.
func (at place) in(format string, args ...any) place {
	part := fmt.Sprintf(format, args...)
	if at.path != "" {
		part = at.path + "." + part
	}
	at.path = part
	return at
}

func (at place) fault(format string, args ...any) {
	*at.faults = append(
		*at.faults, fmt.Errorf("%s: %s: %s", at.entry, at.path, fmt.Sprintf(format, args...)),
	)
}

func (at place) require(ok bool, format string, args ...any) {
	if !ok {
		at.fault(format, args...)
	}
}

var (
	idPattern     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	envPattern    = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	headerPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // a token of RFC 9110
)

func (at place) id(id string) { at.require(idPattern.MatchString(id), "must match %v", idPattern) }

func (at place) notEmpty(s string) { at.require(s != "", "must not be empty") }

func (at place) envNames(names ...string) {
	for _, n := range names {
		at.require(envPattern.MatchString(n), "%q must match %v", n, envPattern)
	}
}

func (at place) headerNames(names ...string) {
	for _, n := range names {
		at.require(headerPattern.MatchString(n), "%q is no name of a header", n)
	}
}

// secureURL requires an https URL with nothing in it that could carry a credential or change where
// it goes.
func (at place) secureURL(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Host != u.Hostname() ||
		u.User != nil {
		at.fault("must be an https URL with a host and neither user nor port")
		return nil
	}
	return u
}

// oneOf requires that v is one of the words that the schema knows there.
func oneOf[T ~string](at place, v T, known ...T) {
	at.require(slices.Contains(known, v), "must be one of %v", known)
}

// distinctIDs requires that no id comes twice.
func distinctIDs(at place, ids ...string) {
	seen := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		_, again := seen[id]
		at.require(!again, "%q comes twice", id)
		seen[id] = struct{}{}
	}
}

// checkEntry holds an entry against the schema. What needs the formats compiled, or other entries,
// is in checkTogether.
func checkEntry(at place, e Entry) {
	at.in("schema").require(e.Schema == 1, "must be 1")
	at.in("id").id(e.ID)
	at.in("name").notEmpty(e.Name)
	at.in("category").notEmpty(e.Category)
	at.in("docs").secureURL(e.Docs)
	at.in("create_key").secureURL(e.CreateKey)
	oneOf(at.in("confidence"), e.Confidence, "high", "medium", "low")
	_, err := time.Parse(time.DateOnly, e.Checked)
	at.in("checked").require(err == nil, "must be a day, such as 2006-01-02")

	checkFields(at, e)
	checkParams(at, e)
	checkAuth(at, e)
	checkAttach(at, e)
	checkClient(at.in("client"), e)
	checkVerify(at, e)
	checkRevoke(at.in("revoke"), e)
	checkSources(at, e)
}

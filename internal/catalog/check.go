package catalog

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"
)

// A location is a path in an entry, as in its YAML file, and the list of all faults so far.
type location struct {
	entry  string
	path   string
	faults *[]error
}

// in returns a location inside this one.
func (at location) in(format string, args ...any) location {
	part := fmt.Sprintf(format, args...)
	if at.path != "" {
		part = at.path + "." + part
	}
	at.path = part
	return at
}

func (at location) report(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	*at.faults = append(*at.faults, fmt.Errorf("%s: %s: %s", at.entry, at.path, message))
}

func (at location) require(ok bool, format string, args ...any) {
	if !ok {
		at.report(format, args...)
	}
}

var (
	idPattern     = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	envPattern    = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)
	headerPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$") // a token of RFC 9110
)

func (at location) id(id string) {
	at.require(idPattern.MatchString(id), "must match %v", idPattern)
}

func (at location) notEmpty(s string) { at.require(s != "", "must not be empty") }

func (at location) envNames(names ...string) {
	for _, n := range names {
		at.require(envPattern.MatchString(n), "%q must match %v", n, envPattern)
	}
}

func (at location) headerNames(names ...string) {
	for _, n := range names {
		at.require(headerPattern.MatchString(n), "%q is not the name of a header", n)
	}
}

// secureURL requires an https URL without a user and a port: it carries no credential, and goes to
// the host that the entry names.
func (at location) secureURL(raw string) *url.URL {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Host != u.Hostname() ||
		u.User != nil {
		at.report("must be an https URL with a host and without user and port")
		return nil
	}
	return u
}

// oneOf requires that v is one of the words that the schema knows.
func oneOf[T ~string](at location, v T, known ...T) {
	at.require(slices.Contains(known, v), "must be one of %v", known)
}

// distinctIDs requires that no id is used twice.
func distinctIDs(at location, ids ...string) {
	seen := make(map[string]struct{}, len(ids))
	for _, id := range ids {
		_, again := seen[id]
		at.require(!again, "%q is used twice", id)
		seen[id] = struct{}{}
	}
}

// checkEntry checks an entry against the schema. checkAll has the checks that need compiled formats
// or other entries.
func checkEntry(at location, e Entry) {
	at.in("schema").require(e.Schema == 1, "must be 1")
	at.in("id").id(e.ID)
	at.in("name").notEmpty(e.Name)
	at.in("category").notEmpty(e.Category)
	at.in("docs").secureURL(e.Docs)
	if e.CreateKey != "" {
		at.in("create_key").secureURL(e.CreateKey)
	}
	oneOf(at.in("confidence"), e.Confidence, "high", "medium", "low")
	_, err := time.Parse(time.DateOnly, e.Checked)
	at.in("checked").require(err == nil, "must be a date such as 2006-01-02")

	checkFields(at, e)
	checkParams(at, e)
	checkAuth(at, e)
	checkAttach(at, e)
	checkClient(at.in("client"), e)
	checkVerify(at, e)
	checkRevoke(at.in("revoke"), e)
}

package catalog

import (
	"slices"
	"strings"
)

// checkSources requires that every section of an entry has a source, or that the entry lists it as
// unverified.
func checkSources(at location, e Entry) {
	hasFormats := slices.ContainsFunc(e.Fields, func(f Field) bool { return len(f.Formats) > 0 })
	for _, s := range []struct {
		section string
		present bool
		sources []string
	}{
		{"env", true, e.Sources.Env},
		{"formats", hasFormats, e.Sources.Formats},
		{"verify", len(e.Verify) > 0, e.Sources.Verify},
		{"attach", len(e.Attach) > 0, e.Sources.Attach},
		{"revoke", e.Revoke != nil, e.Sources.Revoke},
	} {
		here := at.in("sources.%s", s.section)
		here.require(!slices.Contains(s.sources, ""), "has an empty source")
		if s.present && len(s.sources) == 0 {
			here.require(e.isUnverified(s.section),
				"has no source: add one, or list it in unverified, as %q", s.section+": …")
		}
	}
}

// isUnverified reports whether the entry lists the whole section as unverified.
func (e Entry) isUnverified(section string) bool {
	return slices.ContainsFunc(e.Unverified, func(u string) bool {
		return u == section || strings.HasPrefix(u, section+":")
	})
}

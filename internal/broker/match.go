package broker

import (
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
)

// A provider is an entry of the catalog, with what follows from it.
type provider struct {
	entry  *catalog.Entry
	shape  shape
	places []places // of each rule
}

func newProvider(e *catalog.Entry) *provider {
	p := &provider{entry: e, shape: shapeOf(e)}
	for i := range e.Attach {
		p.places = append(p.places, placesOf(e, &e.Attach[i]))
	}
	return p
}

// A match is what the catalog has for a target.
type match struct {
	*provider

	attach *catalog.Attach
	places places
	host   string
}

// match returns the rule for a target.
func (p *provider) match(t target) (match, *refusal) {
	e := p.entry
	fault := refuse(rulePath, "The catalog has no such path for "+e.Name)
	for i := range e.Attach {
		a := &e.Attach[i]
		host, why := hostOf(e, a, t.host)
		if why != nil {
			if t.host == "" || why.rule != ruleHost {
				fault = why
			}
			continue
		}
		if len(a.Paths) == 0 || slices.ContainsFunc(a.Paths, func(prefix string) bool {
			return hasPathPrefix(t.path, prefix)
		}) {
			return match{p, a, p.places[i], host}, nil
		}
	}
	if t.host != "" && fault.rule == rulePath && !hasHost(e, t.host) {
		fault = refuse(ruleHost, "The catalog has no such host for "+e.Name)
	}
	return match{}, fault
}

// hasPathPrefix reports whether a path is a prefix, or below it.
func hasPathPrefix(path, prefix string) bool {
	rest, found := strings.CutPrefix(path, prefix)
	return found && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}

// hasHost reports whether an entry has this host.
func hasHost(e *catalog.Entry, host string) bool {
	return slices.ContainsFunc(e.Attach, func(a catalog.Attach) bool {
		_, why := hostOf(e, &a, host)
		return why == nil
	})
}

// hostOf returns the host of a rule that was asked for, or its first one that is no pattern.
func hostOf(e *catalog.Entry, a *catalog.Attach, asked string) (string, *refusal) {
	fault := refuse(ruleHost, "The catalog has no such host for "+e.Name)
	for _, pattern := range a.Hosts {
		host, ok := fill(e, pattern)
		switch {
		case !ok:
			fault = refuse(ruleParameter, "The host of "+e.Name+" needs a parameter, which "+
				"Keysake does not know")
		case asked == "" && !strings.HasPrefix(host, "*."):
			return host, nil
		case asked != "" && matchesHost(host, asked):
			return asked, nil
		}
	}
	return "", fault
}

// matchesHost reports whether a host is the one of a pattern, or below one with "*." before it.
// Only the canonical form of a host is equal to any.
func matchesHost(pattern, host string) bool {
	suffix, isPattern := strings.CutPrefix(pattern, "*")
	if !isPattern {
		return host == pattern
	}
	labels, below := strings.CutSuffix(host, suffix)
	return below && labels != "" && !strings.ContainsFunc(labels, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.'
	}) && !strings.Contains("."+labels+".", "..")
}

// fill puts the values of params into a template. Each has that of the catalog, and one without any
// is not known.
func fill(e *catalog.Entry, template string) (string, bool) {
	for _, p := range e.Params {
		if marker := "{" + p.ID + "}"; p.Default != "" {
			template = strings.ReplaceAll(template, marker, p.Default)
		}
	}
	return template, !strings.ContainsAny(template, "{}")
}

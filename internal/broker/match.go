package broker

import (
	"slices"
	"strings"
	"time"

	"github.com/keysake/keysake/internal/catalog"
)

// A provider is an entry of the catalog, with what follows from it.
type provider struct {
	entry  *catalog.Entry
	shape  shape
	places []places // of each rule, as the following
	idle   []time.Duration
	usage  []*usageNames
}

func newProvider(e *catalog.Entry) *provider {
	p := &provider{entry: e, shape: shapeOf(e)}
	for i := range e.Attach {
		a := &e.Attach[i]
		p.places = append(p.places, placesOf(e, a))
		p.idle = append(p.idle, a.Idle(0))
		p.usage = append(p.usage, newUsageNames(a.Usage))
	}
	return p
}

// A match is what the catalog has for a target.
type match struct {
	*provider

	attach *catalog.Attach
	places places
	idle   time.Duration // for how long a stream may carry nothing; 0: for ever
	usage  *usageNames
	host   string
}

// match returns the rule for a target.
func (p *provider) match(t target) (match, *refusal) {
	e := p.entry
	var fault *refusal
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
			return match{p, a, p.places[i], p.idle[i], p.usage[i], host}, nil
		}
	}
	switch {
	case fault != nil:
	case t.host != "" && !hasHost(e, t.host):
		fault = refuse(ruleHost, "The catalog has no such host for "+e.Name)
	default:
		fault = refuse(rulePath, "The catalog has no such path for "+e.Name)
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
	unknown := false
	for _, pattern := range a.Hosts {
		host, ok := fill(e, pattern)
		switch {
		case !ok:
			unknown = true
		case asked == "" && !strings.HasPrefix(host, "*."):
			return host, nil
		case asked != "" && matchesHost(host, asked):
			return asked, nil
		}
	}
	if unknown {
		return "", refuse(ruleParameter, "The host of "+e.Name+" needs a parameter, which "+
			"Keysake does not know")
	}
	return "", refuse(ruleHost, "The catalog has no such host for "+e.Name)
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
func fill(e *catalog.Entry, template string) (string, bool) { return fillWith(e, template, "") }

// fillWith is fill with a value for the secret fields of the entry, if there is one.
func fillWith(e *catalog.Entry, template, value string) (string, bool) {
	filled := ""
	for {
		before, rest, found := strings.Cut(template, "{")
		if filled += before; !found {
			return filled, !strings.Contains(before, "}")
		}
		name, after, _ := strings.Cut(rest, "}")
		one := paramOf(e, name)
		if value != "" && slices.ContainsFunc(e.Fields, func(f catalog.Field) bool {
			return f.ID == name && f.Secret && f.Required
		}) {
			one = value
		}
		if one == "" {
			return "", false
		}
		filled, template = filled+one, after
	}
}

// paramOf returns the value that the catalog has for a param; empty if there is none.
func paramOf(e *catalog.Entry, id string) string {
	for _, p := range e.Params {
		if p.ID == id {
			return p.Default
		}
	}
	return ""
}

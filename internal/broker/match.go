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

	verdict verdict
}

func newProvider(e *catalog.Entry) *provider {
	p := &provider{entry: e, shape: shapeOf(e), verdict: newVerdict(e)}
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
	host   string // with params in braces, until it is settled
}

// settle puts the params of a lease into the host. Only then is it known whether it is the one that
// was asked for.
func (m match) settle(asked string, params map[string]string) (match, *refusal) {
	if !strings.Contains(m.host, "{") {
		return m, nil
	}
	host, ok := m.entry.FillHost(m.host, params)
	switch {
	case !ok:
		return m, refuse(ruleParameter, "The host of "+m.entry.Name+" needs a parameter, which "+
			"the lease does not have")
	case asked != "" && asked != host:
		return m, refuse(ruleHost, "The host is not that of the lease for "+m.entry.Name)
	}
	m.host = host
	return m, nil
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
		switch {
		case hasPath(a, t.path):
			return match{p, a, p.places[i], p.idle[i], p.usage[i], host}, nil
		case hasPath(a, t.plain):
			return match{}, errTarget // another rule would be taken for it
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

// hasPath reports whether a rule is for a path.
func hasPath(a *catalog.Attach, path string) bool {
	return len(a.Paths) == 0 || slices.ContainsFunc(a.Paths, func(prefix string) bool {
		return hasPathPrefix(path, prefix)
	})
}

// hasPathPrefix reports whether a path is a prefix, or below it.
func hasPathPrefix(path, prefix string) bool {
	rest, found := strings.CutPrefix(path, prefix)
	return found && (rest == "" || rest[0] == '/' || strings.HasSuffix(prefix, "/"))
}

// hasHost reports whether an entry has this host, with whatever params.
func hasHost(e *catalog.Entry, host string) bool {
	return slices.ContainsFunc(e.Attach, func(a catalog.Attach) bool {
		_, why := hostOf(e, &a, host)
		return why == nil
	})
}

// hostOf returns the host of a rule that was asked for, or its first one that is no pattern. Params
// are still in it.
func hostOf(e *catalog.Entry, a *catalog.Attach, asked string) (string, *refusal) {
	for _, pattern := range a.Hosts {
		switch {
		case asked == "" && !strings.HasPrefix(pattern, "*."):
			return pattern, nil
		case asked == "":
		case strings.Contains(pattern, "{") && mayMatch(pattern, asked):
			return pattern, nil
		case matchesHost(pattern, asked):
			return asked, nil
		}
	}
	return "", refuse(ruleHost, "The catalog has no such host for "+e.Name)
}

// mayMatch reports whether a host can be the one of a pattern with params.
func mayMatch(pattern, host string) bool {
	head, rest, _ := strings.Cut(pattern, "{")
	tail := rest[strings.LastIndexByte(rest, '}')+1:]
	return len(host) > len(head)+len(tail) && strings.HasPrefix(host, head) &&
		strings.HasSuffix(host, tail)
}

// matchesHost reports whether a host is the one of a pattern, or below one with "*." before it.
// Only the canonical form of a host is equal to any.
func matchesHost(pattern, host string) bool {
	suffix, isPattern := strings.CutPrefix(pattern, "*")
	if !isPattern {
		return host == pattern
	}
	labels, below := strings.CutSuffix(host, suffix)
	if !below || len(host) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(labels, ".") {
		if label == "" || len(label) > maxLabel || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
		}) {
			return false
		}
	}
	return true
}

// How long a name is that DNS can have, and each of its labels.
const (
	maxHost  = 253
	maxLabel = 63
)

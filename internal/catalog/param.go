package catalog

import (
	"regexp"
	"slices"
	"strings"
)

// maxLabel is the length of the longest label of a host.
const maxLabel = 63

// HostParam returns the param of this id, if the hosts at which the key is attached have it.
func (e Entry) HostParam(id string) (Param, bool) {
	i := slices.IndexFunc(e.Params, func(p Param) bool { return p.ID == id })
	inHosts := slices.ContainsFunc(e.Attach, func(a Attach) bool {
		return slices.ContainsFunc(a.Hosts, func(host string) bool {
			return strings.Contains(host, "{"+id+"}")
		})
	})
	if i < 0 || !inHosts {
		return Param{}, false
	}
	return e.Params[i], true
}

// NeededParams returns the ids of the params without which a host of the key is not known.
func (e Entry) NeededParams() (ids []string) {
	for _, p := range e.Params {
		if _, inHosts := e.HostParam(p.ID); inHosts && p.Default == "" {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// Accepts reports whether a value can be that of the param in a host. What has a pattern is one
// label: with a dot in it, a host would leave its domain.
func (p Param) Accepts(value string) bool {
	if len(p.Enum) > 0 {
		return slices.Contains(p.Enum, value)
	}
	pattern, err := regexp.Compile(`^(?:` + p.Pattern + `)$`)
	return err == nil && len(value) <= maxLabel && pattern.MatchString(value) &&
		strings.Trim(value, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// FillHost puts params into the template of a host or URL: those that are given, and the defaults
// of others. It reports whether all of them are known.
func (e Entry) FillHost(template string, given map[string]string) (string, bool) {
	for _, p := range e.Params {
		value, ok := given[p.ID]
		if !ok || !p.Accepts(value) {
			value = p.Default
		}
		if value != "" {
			template = strings.ReplaceAll(template, "{"+p.ID+"}", value)
		}
	}
	return template, !strings.ContainsAny(template, "{}")
}

// DomainsWith returns what HostsWith does, as a certificate names them: a domain with all below.
func (e Entry) DomainsWith(params map[string]string) []string {
	hosts := e.HostsWith(params)
	for i, host := range hosts {
		hosts[i] = strings.TrimPrefix(host, "*.")
	}
	return hosts
}

// HostsWith returns the hosts to which the key may go with these params. One that begins with "*."
// stands for all below.
func (e Entry) HostsWith(params map[string]string) (hosts []string) {
	for _, a := range e.Attach {
		for _, pattern := range a.Hosts {
			if host, ok := e.FillHost(pattern, params); ok {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts
}

package catalog

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// hostPattern matches a host name of at least two labels. The last begins with a letter, so that it
// is not an address. Two labels exclude "*.com"; a reviewer has to see whether strangers can
// register names under a longer suffix.
var hostPattern = regexp.MustCompile(
	`^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$`,
)

func checkAuth(at location, e Entry) {
	for _, name := range slices.Sorted(maps.Keys(e.Auth)) {
		r, here := e.Auth[name], at.in("auth[%s]", name)
		here.id(name)
		oneOf(here.in("in"), r.In, "header", "basic", "query", "path", "ws_subprotocol", "grpc")
		switch r.In {
		case "header":
			here.in("name").headerNames(r.Name)
		case "query", "grpc":
			here.in("name").notEmpty(r.Name)
		}
		templates := []string{r.Value}
		here.in("value").require((r.Value == "") == (r.In == "basic"),
			"is required for all but basic")
		if r.In == "basic" {
			templates = []string{r.Username, r.Password}
		}
		uses := false
		for _, t := range templates {
			here.template(t, e.inputs()...)
			uses = uses || slices.ContainsFunc(e.Fields, func(f Field) bool {
				return f.Secret && strings.Contains(t, "{"+f.ID+"}")
			})
		}
		here.require(uses, "must attach a secret field")
	}
}

func checkRecipeExists(at location, e Entry, name string) {
	_, ok := e.Auth[name]
	at.require(ok, "there is no recipe %q", name)
}

var placeholderPattern = regexp.MustCompile(`\{([^{}]*)\}`)

// template requires that every {name} in a text is known, and that the text has no other braces and
// no line breaks.
func (at location) template(text string, known ...string) {
	for _, m := range placeholderPattern.FindAllStringSubmatch(text, -1) {
		at.require(slices.Contains(known, m[1]), "{%s} has no meaning here", m[1])
	}
	at.require(
		!strings.ContainsAny(placeholderPattern.ReplaceAllString(text, ""), "{}\r\n"),
		"has an unmatched brace or a line break",
	)
}

func checkAttach(at location, e Entry) {
	for i, a := range e.Attach {
		here := at.in("attach[%d]", i)
		here.in("hosts").require(len(a.Hosts) > 0, "must have one")
		for _, h := range a.Hosts {
			here.in("hosts").template(h, e.paramIDs()...)
			here.in("hosts").require(hostPattern.MatchString(e.sampleHost(h)),
				"%q must be a host name, or %q and a host name", h, "*.")
		}
		for _, p := range a.Paths {
			here.in("paths").require(strings.HasPrefix(p, "/"), "%q must begin with a slash", p)
		}
		checkRecipeExists(here.in("auth"), e, a.Auth)
		checkStrip(here.in("strip.headers"), e, a)
		here.in("keep_client_headers").headerNames(a.KeepClientHeaders...)
		here.in("require_headers").headerNames(a.RequireHeaders...)
		for _, s := range a.Stream {
			oneOf(here.in("stream"), s, "sse", "websocket", "chunked", "long_poll", "protobuf",
				"eventstream", "grpc")
		}
		oneOf(here.in("redirects.forward_auth"), a.Redirects.ForwardAuth, "", "same_host")
		if a.IdleTimeout != "" {
			d, err := time.ParseDuration(a.IdleTimeout)
			here.in("idle_timeout").require(err == nil && d > 0, "must be a duration such as 90s")
		}
		for _, m := range a.Mints {
			checkMint(here.in("mints[%s]", m.Path), e, m)
			checkReached(here.in("mints[%s]", m.Path), e, i, m.Path)
		}
		for _, d := range a.Deny {
			checkEndpoint(here.in("deny[%s]", d.Path), d)
			checkReached(here.in("deny[%s]", d.Path), e, i, d.Path)
		}
		for _, p := range slices.Concat(a.Usage.Input, a.Usage.Output) {
			here.in("usage").pointer(p)
		}
		here.in("refusal").body(a.Refusal, []string{"message", "code"})
		for j, earlier := range e.Attach[:i] {
			here.require(!earlier.shadows(a),
				"is never reached: attach[%d] matches the same requests first", j)
		}
	}
}

// checkStrip requires that the headers of all possible recipes are stripped, so that nothing of the
// client remains where the credential goes.
func checkStrip(at location, e Entry, a Attach) {
	at.headerNames(a.Strip.Headers...)
	recipes := []string{a.Auth}
	for _, f := range e.formats() {
		if f.Auth != "" {
			recipes = append(recipes, f.Auth)
		}
	}
	for _, name := range recipes {
		header := ""
		switch r := e.Auth[name]; r.In {
		case "header":
			header = r.Name
		case "basic":
			header = "Authorization"
		default:
			continue
		}
		stripped := slices.ContainsFunc(a.Strip.Headers, func(h string) bool {
			return strings.EqualFold(h, header)
		})
		at.require(stripped, "must include %q, which the recipe %q sets", header, name)
	}
}

func checkMint(at location, e Entry, m Mint) {
	oneOf(at.in("method"), m.Method, "GET", "POST", "PUT")
	at.in("path").require(strings.HasPrefix(m.Path, "/"), "must begin with a slash")
	at.in("json").require(len(m.JSON) > 0, "must have one")
	for _, p := range m.JSON {
		at.in("json").pointer(p)
	}
	at.in("treat_as").formats(e, m.TreatAs)
}

// checkReached requires that requests for a path come to the rule that says something of it.
func checkReached(at location, e Entry, rule int, path string) {
	has := func(a Attach) bool {
		return len(a.Paths) == 0 || slices.ContainsFunc(a.Paths, func(prefix string) bool {
			return strings.HasPrefix(path+"/", strings.TrimSuffix(prefix, "/")+"/")
		})
	}
	at.in("path").require(has(e.Attach[rule]), "must be below a path of its rule")
	for i, earlier := range e.Attach[:rule] {
		shared := func(host string) bool { return slices.Contains(e.Attach[rule].Hosts, host) }
		at.in("path").require(!slices.ContainsFunc(earlier.Hosts, shared) || !has(earlier),
			"is never reached: attach[%d] matches it first", i)
	}
}

func checkEndpoint(at location, d Endpoint) {
	oneOf(at.in("method"), d.Method, "", "GET", "POST", "PUT", "PATCH", "DELETE")
	at.in("path").require(strings.HasPrefix(d.Path, "/") && !strings.HasSuffix(d.Path, "/"),
		"must begin with a slash, and end without one")
}

// shadows reports whether the earlier rule matches all requests to one of the hosts and paths of a.
func (earlier Attach) shadows(a Attach) bool {
	shared := func(host string) bool { return slices.Contains(earlier.Hosts, host) }
	if !slices.ContainsFunc(a.Hosts, shared) {
		return false
	}
	under := func(path string) bool {
		hasPrefix := func(p string) bool { return strings.HasPrefix(path, p) }
		return len(earlier.Paths) == 0 || slices.ContainsFunc(earlier.Paths, hasPrefix)
	}
	if len(a.Paths) == 0 {
		return under("/")
	}
	return slices.ContainsFunc(a.Paths, under)
}

// sampleHost fills in the parameters of a host pattern.
func (e Entry) sampleHost(host string) string {
	for _, id := range e.paramIDs() {
		host = strings.ReplaceAll(host, "{"+id+"}", "param.example")
	}
	return host
}

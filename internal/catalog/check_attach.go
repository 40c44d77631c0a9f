package catalog

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// hostPattern is a host name with two labels at least, of which the last begins with a letter, so
// that it is no address. After "*." it keeps out "*.com"; whether anybody can register a name under
// a longer suffix is for the reviewer to see.
var hostPattern = regexp.MustCompile(
	`^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?$`,
)

func checkAuth(at place, e Entry) {
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
		here.in("value").
			require((r.Value == "") == (r.In == "basic"), "must be there for all but basic")
		if r.In == "basic" {
			templates = []string{r.Username, r.Password}
		}
		uses := false
		for _, t := range templates {
			here.template(t, e.inputs()...)
			uses = uses ||
				slices.ContainsFunc(e.Fields, func(f Field) bool {
					return f.Secret && strings.Contains(t, "{"+f.ID+"}")
				})
		}
		here.require(uses, "must put a secret field on the request")
	}
}

func checkRecipeExists(at place, e Entry, name string) {
	_, ok := e.Auth[name]
	at.require(ok, "there is no recipe %q", name)
}

var placeholderPattern = regexp.MustCompile(`\{([^{}]*)\}`)

// template requires that every {name} in text is known there, and that there are no other braces
// and no line breaks.
func (at place) template(text string, known ...string) {
	for _, m := range placeholderPattern.FindAllStringSubmatch(text, -1) {
		at.require(slices.Contains(known, m[1]), "{%s} stands for nothing here", m[1])
	}
	at.require(
		!strings.ContainsAny(placeholderPattern.ReplaceAllString(text, ""), "{}\r\n"),
		"has a brace or a line break too many",
	)
}

func checkAttach(at place, e Entry) {
	for i, a := range e.Attach {
		here := at.in("attach[%d]", i)
		here.in("hosts").require(len(a.Hosts) > 0, "must have one")
		for _, h := range a.Hosts {
			here.in("hosts").template(h, e.paramIDs()...)
			here.in("hosts").
				require(
					hostPattern.MatchString(e.sampleHost(h)),
					"%q must be a host name, or one after %q", h, "*.",
				)
		}
		for _, p := range a.Paths {
			here.in("paths").require(strings.HasPrefix(p, "/"), "%q must begin with a slash", p)
		}
		checkRecipeExists(here.in("auth"), e, a.Auth)
		checkStrip(here.in("strip.headers"), e, a)
		here.in("keep_client_headers").headerNames(a.KeepClientHeaders...)
		here.in("require_headers").headerNames(a.RequireHeaders...)
		for _, s := range a.Stream {
			oneOf(here.in("stream"), s, "sse", "websocket", "chunked", "long_poll", "protobuf")
		}
		oneOf(here.in("redirects.forward_auth"), a.Redirects.ForwardAuth, "", "same_host")
		if a.IdleTimeout != "" {
			d, err := time.ParseDuration(a.IdleTimeout)
			here.in("idle_timeout").require(err == nil && d > 0, "must be a duration, such as 90s")
		}
		for _, m := range a.Mints {
			checkMint(here.in("mints[%s]", m.Path), e, m)
		}
		for j, earlier := range e.Attach[:i] {
			here.require(
				!earlier.hides(a), "is never reached: attach[%d] takes the same requests first", j,
			)
		}
	}
}

// checkStrip requires that whatever a client sent where the credential goes is removed, for every
// recipe that may be used.
func checkStrip(at place, e Entry, a Attach) {
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
		at.require(stripped, "must have %q, which the recipe %q sets", header, name)
	}
}

func checkMint(at place, e Entry, m Mint) {
	oneOf(at.in("method"), m.Method, "GET", "POST", "PUT")
	at.in("path").require(strings.HasPrefix(m.Path, "/"), "must begin with a slash")
	at.in("json").pointer(m.JSON)
	at.in("treat_as").formats(e, m.TreatAs)
}

// hides is true where the earlier rule takes every request for one of the hosts and paths of a.
func (earlier Attach) hides(a Attach) bool {
	if !slices.ContainsFunc(a.Hosts, func(h string) bool {
		return slices.Contains(earlier.Hosts, h)
	}) {
		return false
	}
	under := func(path string) bool {
		return len(earlier.Paths) == 0 ||
			slices.ContainsFunc(earlier.Paths, func(p string) bool {
				return strings.HasPrefix(path, p)
			})
	}
	if len(a.Paths) == 0 {
		return under("/")
	}
	return slices.ContainsFunc(a.Paths, under)
}

// sampleHost is a host that the pattern could stand for, with its parameters filled in.
func (e Entry) sampleHost(host string) string {
	for _, id := range e.paramIDs() {
		host = strings.ReplaceAll(host, "{"+id+"}", "param.example")
	}
	return host
}

package catalog

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// anyFormat in the formats of a check stands for keys that match no format.
const anyFormat = "*"

func checkVerify(at location, e Entry) {
	var ids, formats []string
	for _, c := range e.Verify {
		here := at.in("verify[%s]", c.ID)
		here.in("id").id(c.ID)
		here.in("formats").require(len(c.Formats) > 0, "must have one")
		for _, f := range c.Formats {
			if f != anyFormat {
				here.in("formats").formats(e, f)
			}
			here.in("formats").require(!e.neverVerify(f),
				"%q has the trait %s", f, TraitNeverVerify)
		}
		checkRequest(here.in("request"), e, c.Request, "GET", "POST")
		here.in("request.auth").require(c.Request.Auth != "" || e.keyInBody(c.Request),
			"is required, unless the body has the key")
		oneOf(here.in("cost"), c.Cost, CostFree, CostMetered)
		for _, p := range c.Shape {
			here.in("shape").pointer(p)
		}
		here.in("rules").require(len(c.Rules) > 0, "must have one")
		for i, r := range c.Rules {
			checkRule(here.in("rules[%d]", i), r)
		}
		for _, x := range c.Extract {
			checkExtract(here.in("extract[%s]", x.To), x)
		}
		ids, formats = append(ids, c.ID), append(formats, c.Formats...)
	}
	distinctIDs(at.in("verify"), ids...)
	distinctIDs(at.in("verify[].formats"), formats...)
}

// formats requires that the entry has a format of each id.
func (at location) formats(e Entry, ids ...string) {
	for _, id := range ids {
		known := slices.ContainsFunc(e.formats(), func(f Format) bool { return f.ID == id })
		at.require(known, "there is no format %q", id)
	}
}

func (e Entry) neverVerify(id string) bool {
	return slices.ContainsFunc(e.formats(), func(f Format) bool {
		return f.ID == id && slices.Contains(f.Traits, TraitNeverVerify)
	})
}

func checkRequest(at location, e Entry, r Request, methods ...string) {
	oneOf(at.in("method"), r.Method, methods...)
	at.in("url").template(r.URL, e.paramIDs()...)
	if u := at.in("url").secureURL(e.sampleHost(r.URL)); u != nil {
		at.in("url").require(e.attachesTo(u.Host), "the host is not in attach[].hosts")
	}
	if r.Auth != "" {
		checkRecipeExists(at.in("auth"), e, r.Auth)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
		at.in("headers").headerNames(name)
		at.in("headers[%s]", name).template(r.Headers[name], append(e.paramIDs(), "service_ua")...)
	}
	at.in("json").body(r.JSON, e.inputs())
	for _, name := range slices.Sorted(maps.Keys(r.Form)) {
		at.in("form[%s]", name).body(r.Form[name], e.inputs())
	}
	at.in("form").require(len(r.Form) == 0 || len(r.JSON) == 0, "cannot be there beside json")
}

// keyInBody reports whether a member of the body is the key.
func (e Entry) keyInBody(r Request) bool {
	return slices.ContainsFunc(e.Fields, func(f Field) bool {
		isKey := func(v any) bool { return f.Secret && v == any("{"+f.ID+"}") }
		for _, v := range r.Form {
			if isKey(v) {
				return true
			}
		}
		for _, v := range r.JSON {
			if isKey(v) {
				return true
			}
		}
		return false
	})
}

// inputPattern matches what is replaced in a body, which may have braces of its own: GraphQL does.
var inputPattern = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)

// body requires that every {name} in the texts of a JSON body is known.
func (at location) body(value any, known []string) {
	switch v := value.(type) {
	case string:
		for _, m := range inputPattern.FindAllStringSubmatch(v, -1) {
			at.require(slices.Contains(known, m[1]), "{%s} has no meaning here", m[1])
		}
	case []any:
		for _, item := range v {
			at.body(item, known)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			at.body(v[name], known)
		}
	}
}

// attachesTo reports whether the entry attaches the credential to requests to a host.
func (e Entry) attachesTo(host string) bool {
	return slices.ContainsFunc(e.Attach, func(a Attach) bool {
		return slices.ContainsFunc(a.Hosts, func(h string) bool {
			h = e.sampleHost(h)
			suffix, wild := strings.CutPrefix(h, "*")
			return h == host || (wild && strings.HasSuffix(host, suffix) && len(host) > len(suffix))
		})
	})
}

func checkRule(at location, r Rule) {
	w := r.When
	at.in("when").require(len(w.Status)+len(w.Header)+len(w.JSON) > 0 || w.Body != "",
		"must have a condition")
	at.in("when.status").statuses(w.Status)
	at.in("when.header").headerNames(slices.Sorted(maps.Keys(w.Header))...)
	for _, p := range slices.Sorted(maps.Keys(w.JSON)) {
		at.in("when.json").pointer(p)
		at.in("when.json").require(len(w.JSON[p]) > 0, "%q must have a value", p)
	}
	_, err := regexp.Compile(w.Body)
	at.in("when.body").require(err == nil, "is not a regular expression")
	oneOf(at.in("then"), r.Then, OutcomeValid, OutcomeValidLimited, OutcomeBlocked,
		OutcomeInvalid, OutcomeRateLimited, OutcomeIndeterminate)
}

func (at location) statuses(codes []int) {
	for _, s := range codes {
		at.require(s >= 200 && s <= 599, "%d is not the status of a response", s)
	}
}

// pointer requires a JSON pointer, RFC 6901, to a part of a document.
func (at location) pointer(p string) {
	escapes := strings.NewReplacer("~0", "", "~1", "").Replace(p)
	at.require(strings.HasPrefix(p, "/") && !strings.Contains(escapes, "~"),
		"%q is not a JSON pointer", p)
}

func checkExtract(at location, x Extract) {
	at.in("to").id(x.To)
	from := 0
	for _, s := range []string{x.Header, x.JSON, x.JWT} {
		if s != "" {
			from++
		}
	}
	at.require(from == 1, "must be from exactly one of header, json and jwt")
	if x.Header != "" {
		at.in("header").headerNames(x.Header)
	}
	if x.JSON != "" {
		at.in("json").pointer(x.JSON)
	}
	oneOf(at.in("type"), x.Type, "", "string", "csv", "time", "count")
	at.in("layouts").require((x.Type == "time") == (len(x.Layouts) > 0),
		"is required for a time, and for nothing else")
}

func checkRevoke(at location, e Entry) {
	if e.Revoke == nil {
		return
	}
	at.in("formats").require(len(e.Revoke.Formats) > 0, "must have one")
	at.in("formats").formats(e, e.Revoke.Formats...)
	checkRequest(at.in("request"), e, e.Revoke.Request, "POST", "DELETE")
	at.in("success").require(len(e.Revoke.Success) > 0, "must have one")
	at.in("success").statuses(e.Revoke.Success)
}

package broker

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
)

// places are all parts of a request in which a provider takes a credential.
type places struct {
	headers   []string // canonical
	query     []string
	protocols []string // prefixes of subprotocols of WebSocket
}

// placesOf returns the places of a rule: those that it strips, and those of every recipe.
func placesOf(e *catalog.Entry, a *catalog.Attach) places {
	p := places{
		query: slices.Clone(a.Strip.Query), protocols: slices.Clone(a.Strip.WSSubprotocols),
	}
	for _, h := range a.Strip.Headers {
		p.headers = append(p.headers, http.CanonicalHeaderKey(h))
	}
	for _, r := range e.Auth {
		switch r.In {
		case "header", "grpc":
			p.headers = append(p.headers, http.CanonicalHeaderKey(r.Name))
		case "basic":
			p.headers = append(p.headers, "Authorization")
		case "query":
			p.query = append(p.query, r.Name)
		}
	}
	slices.Sort(p.headers)
	p.headers = slices.Compact(p.headers)
	slices.Sort(p.query)
	p.query = slices.Compact(p.query)
	return p
}

// A presented credential is the placeholder as it came.
type presented struct {
	placeholder string
	user        string // beside it, where it came by Basic
}

// shape tells what a placeholder looks like, without asking whether there is one.
type shape struct{ head string }

// tokenLength is the length of what fills the template of a placeholder.
const tokenLength = 71

func shapeOf(e *catalog.Entry) shape {
	head, _, found := strings.Cut(e.Client.Placeholder, "{lease}")
	if !found {
		head = "ksp_"
	}
	return shape{head}
}

// matches reports whether a text can be a placeholder.
func (s shape) matches(text string) bool {
	token, found := strings.CutPrefix(text, s.head)
	return found && len(token) == tokenLength && !strings.ContainsFunc(token, notBase62)
}

func notBase62(r rune) bool {
	return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// find returns the placeholder of a request. Each place that has a credential must have the
// placeholder, once, and nothing else of the request may have it: whatever else a client sends as
// its credential is refused, because a client that has another one does not mean the owner's.
func (p places) find(r *http.Request, t target, s shape) (presented, *refusal) {
	var got presented
	for _, name := range p.headers {
		values := r.Header[name]
		if len(values) == 0 {
			continue
		}
		one, ok := s.read(values[0])
		if why := got.add(one, ok && len(values) == 1); why != nil {
			return got, why
		}
	}
	for name, value := range queryValues(t.query) {
		if !slices.Contains(p.query, name) {
			continue
		}
		if why := got.add(presented{placeholder: value}, s.matches(value)); why != nil {
			return got, why
		}
	}
	for _, protocol := range subprotocols(r.Header) {
		if secret, found := p.cutProtocol(protocol); found {
			if why := got.add(presented{placeholder: secret}, s.matches(secret)); why != nil {
				return got, why
			}
		}
	}
	if got.placeholder == "" {
		return got, refuse(ruleMissing,
			"The request has no placeholder of a lease as its credential")
	}
	return got, nil
}

// add takes what one place has.
func (p *presented) add(one presented, ok bool) *refusal {
	if !ok || p.placeholder != "" && p.placeholder != one.placeholder {
		return refuse(ruleOther,
			"The request has a credential that is not the placeholder of its lease")
	}
	p.placeholder = one.placeholder
	if one.user != "" {
		p.user = one.user
	}
	return nil
}

// read returns the placeholder in the value of a header.
func (s shape) read(value string) (presented, bool) {
	scheme, rest, found := strings.Cut(value, " ")
	switch {
	case !found:
		rest = value
	case strings.EqualFold(scheme, "Basic"):
		r := http.Request{Header: http.Header{"Authorization": {value}}}
		user, password, ok := r.BasicAuth()
		switch {
		case !ok || s.matches(user) && s.matches(password):
			return presented{}, false
		case s.matches(user):
			return presented{placeholder: user}, true
		}
		return presented{password, user}, s.matches(password)
	}
	rest = strings.TrimSpace(rest)
	// A token that was minted for the placeholder has it as its signature.
	if strings.Count(rest, ".") == 2 {
		rest = rest[strings.LastIndexByte(rest, '.')+1:]
	}
	return presented{placeholder: rest}, s.matches(rest)
}

func (p places) cutProtocol(protocol string) (secret string, found bool) {
	for _, prefix := range p.protocols {
		if secret, found = strings.CutPrefix(protocol, prefix); found {
			return secret, true
		}
	}
	return "", false
}

func subprotocols(h http.Header) (all []string) {
	for _, line := range h["Sec-Websocket-Protocol"] {
		for one := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(one))
		}
	}
	return all
}

// queryValues returns the decoded pairs of a query.
func queryValues(query string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		if query == "" {
			return
		}
		for pair := range strings.SplitSeq(query, "&") {
			name, value, _ := strings.Cut(pair, "=")
			if !yield(unescape(name), unescape(value)) {
				return
			}
		}
	}
}

// unescape decodes a part of a query. What cannot be decoded is itself, as most servers have it.
func unescape(text string) string {
	if decoded, err := url.QueryUnescape(text); err == nil {
		return decoded
	}
	return text
}

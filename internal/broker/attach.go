package broker

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/vault"
)

// strip takes everything out of a request that the provider could take as a credential, and what is
// no business of the provider. It returns what remains of the query.
func (p places) strip(h http.Header, query string) string {
	for _, name := range p.headers {
		delete(h, name)
	}
	for name := range h {
		if isOfTheWay(name) {
			delete(h, name)
		}
	}
	if slices.ContainsFunc(subprotocols(h), func(s string) bool {
		_, found := p.cutProtocol(s)
		return found
	}) {
		rest := slices.DeleteFunc(subprotocols(h), func(s string) bool {
			_, found := p.cutProtocol(s)
			return found
		})
		delete(h, "Sec-Websocket-Protocol")
		if len(rest) > 0 {
			h.Set("Sec-Websocket-Protocol", strings.Join(rest, ", "))
		}
	}
	return p.stripQuery(query)
}

// isOfTheWay reports whether a header tells of the way of a request, or belongs to a login of the
// client: none of it is the provider's.
func isOfTheWay(name string) bool {
	switch name {
	case "Cookie", "Forwarded", "Via", "Origin", "Keysake-Broker", "X-Real-Ip", "Http2-Settings":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "Proxy-")
}

func (p places) stripQuery(query string) string {
	if len(p.query) == 0 || query == "" {
		return query
	}
	pairs := strings.Split(query, "&")
	rest := slices.DeleteFunc(pairs, func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(p.query, unescape(name))
	})
	return strings.Join(rest, "&")
}

// recipeOf returns how the value of a grant is attached. A key of some formats is attached in
// another way than the rule says.
func (b *Broker) recipeOf(m match, g vault.Grant) catalog.Recipe {
	name := m.attach.Auth
	if format, found := b.catalog.FormatOf(m.entry.ID, g.Value); found && format.Auth != "" {
		name = format.Auth
	}
	return m.entry.Auth[name]
}

// A credential is what is attached to a request.
type credential struct {
	recipe         catalog.Recipe
	value          string // of a header, a parameter or a subprotocol
	user, password string // of Basic
	shared         bool   // the client knows a part of it, and may be wrong
}

// makeCredential fills in a recipe. user is what the client sent beside its placeholder: where a
// recipe has a name that is no secret, only the client knows it.
func makeCredential(
	e *catalog.Entry, recipe catalog.Recipe, g vault.Grant, user string,
) (credential, *refusal) {
	value := string(g.Value.Reveal())
	if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return credential{}, refuse(ruleValue,
			"The value of the secret has characters that no request can have")
	}
	part := func(template string) (string, bool) {
		for _, f := range e.Fields {
			if f.Secret && f.Required {
				template = strings.ReplaceAll(template, "{"+f.ID+"}", "\x00")
			}
		}
		filled, ok := e.FillHost(template, g.Limits.Params)
		return strings.ReplaceAll(filled, "\x00", value), ok
	}
	c := credential{recipe: recipe}
	var ok bool
	if recipe.In == "basic" {
		var hasPassword bool
		if c.user, ok = part(recipe.Username); !ok {
			c.user, c.shared, ok = user, true, user != ""
		}
		c.password, hasPassword = part(recipe.Password)
		ok = ok && hasPassword
	} else {
		c.value, ok = part(recipe.Value)
	}
	if !ok || recipe.In == "" || recipe.In == "path" {
		return credential{}, refuse(ruleParameter,
			"The credential of "+e.Name+" has parts that Keysake does not know")
	}
	return c, nil
}

// attach puts the credential on a request, and returns its query.
func (c credential) attach(h http.Header, query string) string {
	switch c.recipe.In {
	case "header", "grpc":
		h[http.CanonicalHeaderKey(c.recipe.Name)] = []string{c.value}
	case "basic":
		r := http.Request{Header: h}
		r.SetBasicAuth(c.user, c.password)
	case "query":
		pair := url.QueryEscape(c.recipe.Name) + "=" + url.QueryEscape(c.value)
		if query == "" {
			return pair
		}
		return query + "&" + pair
	case "ws_subprotocol":
		all := append(subprotocols(h), c.value)
		h["Sec-Websocket-Protocol"] = []string{strings.Join(all, ", ")}
	}
	return query
}

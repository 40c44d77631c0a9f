package catalog_test

import (
	"testing"

	"github.com/keysake/keysake/internal/catalog"
)

func TestACheckMustBeHarmlessAndGoToTheProvidersOwnHost(t *testing.T) {
	edit := func(f func(*catalog.Check)) func(*entry) {
		return func(e *entry) { f(&e.Verify[0]) }
	}
	url := func(u string) func(*entry) {
		return edit(func(c *catalog.Check) { c.Request.URL = u })
	}
	refuses(t, []broken{
		{"github", "verify[User].id", "must match", edit(func(c *catalog.Check) { c.ID = "User" })},
		{"github", "verify", "is used twice", edit(func(c *catalog.Check) { c.ID = "rate_limit" })},
		{
			"github",
			"verify[].formats",
			`"*" is used twice`,
			edit(func(c *catalog.Check) { c.Formats = append(c.Formats, "*") }),
		},
		{
			"github", "verify[user].formats", "must have one",
			edit(func(c *catalog.Check) { c.Formats = nil }),
		},
		{
			"github",
			"verify[user].formats",
			`no format "magic"`,
			edit(func(c *catalog.Check) { c.Formats[0] = "magic" }),
		},
		{
			"github", "verify[user].formats", "never_verify",
			edit(func(c *catalog.Check) { c.Formats[0] = "app_refresh" }),
		},
		{"github", "verify[user].cost", "one of", edit(func(c *catalog.Check) { c.Cost = "" })},
		{
			"github", "verify[user].request.method", "one of",
			edit(func(c *catalog.Check) { c.Request.Method = "PUT" }),
		},
		{
			"github", "verify[user].request.method", "one of",
			edit(func(c *catalog.Check) { c.Request.Method = "DELETE" }),
		},
		{
			"github", "verify[user].request.auth", "is required",
			edit(func(c *catalog.Check) { c.Request.Auth = "" }),
		},
		{
			"github",
			"verify[user].request.auth",
			`no recipe "magic"`,
			edit(func(c *catalog.Check) { c.Request.Auth = "magic" }),
		},
		{"github", "verify[user].request.url", "https URL", url("http://api.github.com/user")},
		{
			"github",
			"verify[user].request.url",
			"https URL",
			url("https://api.github.com:8443/user"),
		},
		{"github", "verify[user].request.url", "https URL", url("https://x@api.github.com/user")},
		{"github", "verify[user].request.url", "https URL", url("/user")},
		{
			"github",
			"verify[user].request.url",
			"not in attach[].hosts",
			url("https://gist.github.com/user"),
		},
		{
			"github",
			"verify[user].request.url",
			"not in attach[].hosts",
			url("https://api.github.com.example.org/user"),
		},
		{
			"github",
			"verify[user].request.url",
			"has no meaning",
			url("https://api.github.com/user?key={token}"),
		},
		{
			"github", "verify[user].request.headers", "not the name",
			edit(func(c *catalog.Check) { c.Request.Headers[""] = "x" }),
		},
		{
			"github", "verify[user].request.headers[X]", "has no meaning",
			edit(func(c *catalog.Check) { c.Request.Headers["X"] = "{token}" }),
		},
		{"github", "verify[user].request.json", "has no meaning", edit(func(c *catalog.Check) {
			c.Request.JSON = map[string]any{"a": []any{map[string]any{"b": "{key}"}}}
		})},
	})
}

func TestARuleMustBeSound(t *testing.T) {
	edit := func(f func(*catalog.Rule)) func(*entry) {
		return func(e *entry) { f(&e.Verify[0].Rules[0]) }
	}
	when := func(w catalog.When) func(*entry) {
		return edit(func(r *catalog.Rule) { r.When = w })
	}
	refuses(t, []broken{
		{
			"openai", "verify[models].rules", "must have one",
			func(e *entry) { e.Verify[0].Rules = nil },
		},
		{"openai", "verify[models].rules[0].when", "condition", when(catalog.When{})},
		{
			"openai", "verify[models].rules[0].when.status", "not the status",
			when(catalog.When{Status: []int{20}}),
		},
		{
			"openai", "verify[models].rules[0].when.status", "not the status",
			when(catalog.When{Status: []int{600}}),
		},
		{
			"openai", "verify[models].rules[0].when.header", "not the name",
			when(catalog.When{Header: map[string]string{"a b": "*"}}),
		},
		{
			"openai", "verify[models].rules[0].when.json", "not a JSON pointer",
			when(catalog.When{JSON: map[string][]any{"/a~2": {"*"}}}),
		},
		{
			"openai", "verify[models].rules[0].when.json", "must have a value",
			when(catalog.When{JSON: map[string][]any{"/a": {}}}),
		},
		{
			"openai", "verify[models].rules[0].when.body", "not a regular expression",
			when(catalog.When{Body: "("}),
		},
		{
			"openai", "verify[models].rules[0].then", "one of",
			edit(func(r *catalog.Rule) { r.Then = "maybe" }),
		},
	})
}

func TestAnExtractMustBeSound(t *testing.T) {
	set := func(x catalog.Extract) func(*entry) {
		return func(e *entry) { e.Verify[0].Extract[0] = x }
	}
	refuses(t, []broken{
		{
			"openai", "verify[models].extract[A].to", "must match",
			set(catalog.Extract{To: "A", Header: "X"}),
		},
		{"openai", "verify[models].extract[a]", "exactly one", set(catalog.Extract{To: "a"})},
		{
			"openai", "verify[models].extract[a]", "exactly one",
			set(catalog.Extract{To: "a", Header: "X", JWT: "sub"}),
		},
		{
			"openai", "verify[models].extract[a].header", "not the name",
			set(catalog.Extract{To: "a", Header: "X Y"}),
		},
		{
			"openai", "verify[models].extract[a].json", "not a JSON pointer",
			set(catalog.Extract{To: "a", JSON: "x"}),
		},
		{
			"openai", "verify[models].extract[a].type", "one of",
			set(catalog.Extract{To: "a", Header: "X", Type: "date"}),
		},
		{
			"openai", "verify[models].extract[a].layouts", "for a time",
			set(catalog.Extract{To: "a", Header: "X", Type: "time"}),
		},
		{
			"openai", "verify[models].extract[a].layouts", "nothing else",
			set(catalog.Extract{To: "a", Header: "X", Layouts: []string{"2006"}}),
		},
	})
}

func TestARevocationMustBeSound(t *testing.T) {
	edit := func(f func(*catalog.Revoke)) func(*entry) {
		return func(e *entry) { f(e.Revoke) }
	}
	refuses(t, []broken{
		{
			"github", "revoke.formats", "must have one",
			edit(func(r *catalog.Revoke) { r.Formats = nil }),
		},
		{
			"github", "revoke.formats", "no format",
			edit(func(r *catalog.Revoke) { r.Formats[0] = "magic" }),
		},
		{
			"github", "revoke.request.method", "one of",
			edit(func(r *catalog.Revoke) { r.Request.Method = "GET" }),
		},
		{
			"github",
			"revoke.request.url",
			"not in attach[].hosts",
			edit(func(r *catalog.Revoke) { r.Request.URL = "https://example.org/" }),
		},
		{
			"github", "revoke.request.json", "has no meaning",
			edit(func(r *catalog.Revoke) { r.Request.JSON["key"] = "{key}" }),
		},
		{
			"github", "revoke.success", "must have one",
			edit(func(r *catalog.Revoke) { r.Success = nil }),
		},
		{
			"github", "revoke.success", "not the status",
			edit(func(r *catalog.Revoke) { r.Success[0] = 600 }),
		},
	})
}

func TestHostsWithWildcardsAndParametersAreUnderstood(t *testing.T) {
	all := entries(t)[:4]
	e := &all[2]
	e.Attach[0].Hosts = []string{"*.github.com", "api.{host}"}
	e.Attach[1].Hosts = []string{"{host}", "github.com"}
	e.Verify[0].Request.URL = "https://api.{host}/user"
	e.Client.BaseURL[1].Default = "https://{host}/api/v3"
	if _, err := parse(t, all); err != nil {
		t.Error(err)
	}
	e.Verify[1].Request.URL = "https://github.com/user"
	e.Attach = e.Attach[:1] // "*.github.com" is not github.com
	if _, err := parse(t, all); err == nil {
		t.Error("a wildcard was taken for the name itself")
	}
}

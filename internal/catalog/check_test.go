package catalog_test

import (
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/catalog"
)

// Short names, so that a case fits on a line.
type (
	entry  = catalog.Entry
	format = catalog.Format
)

// A broken is one way to break an entry.
type broken struct {
	entry string // the entry to break
	field string // as the error names it
	why   string // a part of the reason
	edit  func(e *entry)
}

// refuses breaks a new copy of the first entries in each way, and expects an error about it.
func refuses(t *testing.T, ways []broken) {
	t.Helper()
	for _, way := range ways {
		t.Run(way.entry+" "+way.field, func(t *testing.T) {
			all := entries(t)[:4]
			for i := range all {
				if all[i].ID == way.entry {
					way.edit(&all[i])
				}
			}
			c, err := parse(t, all)
			if err == nil || c != nil {
				t.Fatal("the broken catalog was accepted")
			}
			for _, want := range []string{way.entry + ": " + way.field + ": ", way.why} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not name %q:\n%v", want, err)
				}
			}
		})
	}
}

func TestAnEntryNeedsAnIdentity(t *testing.T) {
	refuses(t, []broken{
		{"openai", "schema", "must be 1", func(e *entry) { e.Schema = 2 }},
		{"openai", "name", "empty", func(e *entry) { e.Name = "" }},
		{"openai", "category", "empty", func(e *entry) { e.Category = "" }},
		{"openai", "docs", "https", func(e *entry) { e.Docs = "http://example.org/" }},
		{
			"openai",
			"create_key",
			"https",
			func(e *entry) { e.CreateKey = "https://user@example.org/" },
		},
		{"openai", "confidence", "one of", func(e *entry) { e.Confidence = "sure" }},
		{"openai", "checked", "date", func(e *entry) { e.Checked = "2026-13-01" }},
	})
	for id, want := range map[string]string{
		"": "entry 1: id: ", "Open-AI": "Open-AI: id: ",
		"openai": `all entries: id: "openai" is used twice`,
	} {
		all := entries(t)[:4]
		all[1].ID = id
		if _, err := parse(t, all); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("id %q: got %v", id, err)
		}
	}
}

func TestASectionNeedsASourceOrAnAdmissionThatItHasNone(t *testing.T) {
	refuses(t, []broken{
		{"github", "sources.env", "no source", func(e *entry) { e.Sources.Env = nil }},
		{"github", "sources.formats", "no source", func(e *entry) { e.Sources.Formats = nil }},
		{"github", "sources.verify", "no source", func(e *entry) { e.Sources.Verify = nil }},
		{"github", "sources.attach", "no source", func(e *entry) { e.Sources.Attach = nil }},
		{"github", "sources.revoke", "no source", func(e *entry) { e.Sources.Revoke = nil }},
		{"github", "sources.env", "empty source", func(e *entry) { e.Sources.Env = []string{""} }},
	})
	all := entries(t)[:4]
	all[0].Sources = catalog.Sources{}
	all[0].Unverified = []string{"env", "formats: nothing published", "verify", "attach"}
	if _, err := parse(t, all); err != nil {
		t.Errorf("an admission is not enough: %v", err)
	}
}

func TestAFieldMustBeSound(t *testing.T) {
	refuses(t, []broken{
		{"openai", "fields", "here are 0", func(e *entry) { e.Fields[0].Required = false }},
		{
			"openai", "fields", "here are 2",
			func(e *entry) { e.Fields[1].Secret, e.Fields[1].Required = true, true },
		},
		{"openai", "fields", "is used twice", func(e *entry) { e.Fields[1].ID = e.Fields[2].ID }},
		{"github", "fields", "is used twice", func(e *entry) { e.Params[0].ID = "token" }},
		{"openai", "fields[].id", "must match", func(e *entry) { e.Fields[1].ID = "" }},
		{"openai", "fields[api_key].label", "empty", func(e *entry) { e.Fields[0].Label = "" }},
		{"openai", "fields[api_key].env", "must match", func(e *entry) { e.Fields[0].Env = "" }},
		{
			"openai", "fields[project].env", "must match",
			func(e *entry) { e.Fields[2].Env = "project" },
		},
		{
			"github", "fields[token].env_aliases", "must match",
			func(e *entry) { e.Fields[0].EnvAliases[0] = "GH TOKEN" },
		},
		{
			"github", "fields[token].max_length", "from 0",
			func(e *entry) { e.Fields[0].MaxLength = -1 },
		},
		{
			"github", "fields[token].max_length", "from 0",
			func(e *entry) { e.Fields[0].MaxLength = 1 << 20 },
		},
		{"github", "params[host].label", "empty", func(e *entry) { e.Params[0].Label = "" }},
		{"github", "params[host].env", "must match", func(e *entry) { e.Params[0].Env = "host" }},
		{"github", "params[HOST].id", "must match", func(e *entry) { e.Params[0].ID = "HOST" }},
		{
			"github", "params[host].pattern", "exactly one",
			func(e *entry) { e.Params[0].Pattern = "" },
		},
		{
			"github", "params[host].pattern", "exactly one",
			func(e *entry) { e.Params[0].Enum = []string{"github.com"} },
		},
		{
			"github", "params[host].pattern", "missing closing",
			func(e *entry) { e.Params[0].Pattern = "(" },
		},
		{
			"github", "params[host].default", "not a possible value",
			func(e *entry) { e.Params[0].Default = "GitHub" },
		},
	})
}

func TestAFormatMustBeSound(t *testing.T) {
	edit := func(f func(*catalog.Format)) func(*entry) {
		return func(e *entry) { f(&e.Fields[0].Formats[0]) }
	}
	refuses(t, []broken{
		{
			"openai", "fields[api_key].formats[Project].id", "must match",
			edit(func(f *format) { f.ID = "Project" }),
		},
		{
			"openai",
			"fields[].formats",
			`"admin" is used twice`,
			edit(func(f *format) { f.ID = "admin" }),
		},
		{
			"openai", "fields[api_key].formats[project].regex", "missing closing",
			edit(func(f *format) { f.Regex = "(" }),
		},
		{
			"openai", "fields[api_key].formats[project].regex", "unexpected )",
			edit(func(f *format) { f.Regex = "a)|(?:.*" }),
		},
		{
			"openai", "fields[api_key].formats[project].regex", "invalid",
			edit(func(f *format) { f.Regex = "(?=a)" }),
		},
		{
			"openai", "fields[api_key].formats[project].prefix", "do not begin",
			edit(func(f *format) { f.Prefix = "pk-" }),
		},
		{
			"openai", "fields[api_key].formats[project].prefix", "do not begin",
			edit(func(f *format) { f.Regex = "(?i)" + f.Regex }),
		},
		{
			"openai", "fields[api_key].formats[project].checksum", "one of",
			edit(func(f *format) { f.Checksum = "md5" }),
		},
		{
			"openai", "fields[api_key].formats[project].traits", "one of",
			edit(func(f *format) { f.Traits = []catalog.Trait{"nice"} }),
		},
		{
			"openai", "fields[api_key].formats[project].env", "must match",
			edit(func(f *format) { f.Env = "key" }),
		},
		{
			"openai", "fields[api_key].formats[project].env_aliases", "must match",
			edit(func(f *format) { f.EnvAliases = []string{""} }),
		},
		{
			"openai",
			"fields[api_key].formats[project].auth",
			`no recipe "magic"`,
			edit(func(f *format) { f.Auth = "magic" }),
		},
		{
			"openai", "fields[api_key].formats[project].mask", "negative",
			edit(func(f *format) { f.Mask.Tail = -1 }),
		},
	})
}

func TestAnExampleHasItsOwnFormatFirstAndNoOtherProviders(t *testing.T) {
	edit := func(f func(*catalog.Format)) func(*entry) {
		return func(e *entry) { f(&e.Fields[0].Formats[0]) }
	}
	one := func(text string) func(*entry) {
		return edit(func(f *format) { f.Examples = []string{text} })
	}
	refuses(t, []broken{
		{
			"openai", "fields[api_key].formats[project].examples", "must have one",
			edit(func(f *format) { f.Examples = nil }),
		},
		{
			"openai", "fields[api_key].formats[project].examples", "does not match the format",
			one("x{a*40}"),
		},
		{
			"openai",
			"fields[api_key].formats[project].examples",
			`the format "admin" first`,
			one("sk-admin-{a*58}T3BlbkFJ{a*58}"),
		},
		{
			"openai", "fields[api_key].formats[project].examples", "not a macro",
			one("sk-proj-{z*58}"),
		},
		{
			"openai", "fields[api_key].formats[project].examples", "not a macro",
			one("sk-proj-{a*58"),
		},
		{
			"openai", "fields[api_key].formats[project].examples", "longer than a value",
			one("{a*60000}{a*60000}"),
		},
		{
			"openai", "fields[api_key].formats[project].examples", "does not match the format",
			func(e *entry) { e.Fields[0].MaxLength = 100 },
		},
		{
			"openai", "fields[api_key].formats[project].examples", "must hide 16",
			edit(func(f *format) { f.Mask.Head = 200 }),
		},
		{"tinker", "fields[api_key].formats[api_key].examples", "too short", one("tml-{a*20}")},
	})

	all := entries(t)[:4]
	all[3].Fields[0].Formats[1].Distinct = true // eyJ…, which every JWT has
	all[0].Fields[0].Formats[0] = catalog.Format{
		ID:       "project",
		Regex:    "eyJ.*",
		Examples: []string{"eyJ{a*30}.{a*90}.{a*40}"},
	}
	_, err := parse(t, all)
	want := `openai: fields[api_key].formats[project].examples: "eyJ{a*30}.{a*90}.{a*40}" ` +
		`also matches the distinct format "jwt" of tinker`
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a format that is not distinctive was taken for one: %v", err)
	}
}

func TestARecipeMustPutASecretOnTheRequest(t *testing.T) {
	set := func(r catalog.Recipe) func(*entry) {
		return func(e *entry) { e.Auth["bearer"] = r }
	}
	refuses(t, []broken{
		{
			"openai", "auth[bearer].in", "one of",
			set(catalog.Recipe{In: "cookie", Value: "{api_key}"}),
		},
		{
			"openai", "auth[bearer].name", "not the name of a header",
			set(catalog.Recipe{In: "header", Name: "A B", Value: "{api_key}"}),
		},
		{
			"openai", "auth[bearer].name", "empty",
			set(catalog.Recipe{In: "query", Value: "{api_key}"}),
		},
		{"openai", "auth[bearer].value", "all but basic", set(catalog.Recipe{In: "path"})},
		{
			"openai", "auth[bearer].value", "all but basic",
			set(catalog.Recipe{In: "basic", Password: "{api_key}", Value: "x"}),
		},
		{
			"openai", "auth[bearer]", "secret field",
			set(catalog.Recipe{In: "header", Name: "A", Value: "{organization}"}),
		},
		{
			"openai", "auth[bearer]", "has no meaning",
			set(catalog.Recipe{In: "header", Name: "A", Value: "{api_key} {key}"}),
		},
		{
			"openai", "auth[bearer]", "line break",
			set(catalog.Recipe{In: "header", Name: "A", Value: "{api_key}\r\nB: c"}),
		},
		{
			"openai", "auth[Bearer]", "must match",
			func(e *entry) { e.Auth["Bearer"] = e.Auth["bearer"] },
		},
	})
}

func TestAnAttachRuleMustBeSound(t *testing.T) {
	edit := func(f func(*catalog.Attach)) func(*entry) {
		return func(e *entry) { f(&e.Attach[0]) }
	}
	host := func(h string) func(*entry) {
		return edit(func(a *catalog.Attach) { a.Hosts[0] = h })
	}
	refuses(t, []broken{
		{
			"github", "attach[0].hosts", "must have one",
			edit(func(a *catalog.Attach) { a.Hosts = nil }),
		},
		{"github", "attach[0].hosts", "host name", host("https://api.github.com")},
		{"github", "attach[0].hosts", "host name", host("api.github.com:443")},
		{"github", "attach[0].hosts", "host name", host("API.github.com")},
		{"github", "attach[0].hosts", "host name", host("*.com")},
		{"github", "attach[0].hosts", "host name", host("api.*.com")},
		{"github", "attach[0].hosts", "host name", host("localhost")},
		{"github", "attach[0].hosts", "host name", host("127.0.0.1")},
		{"github", "attach[0].hosts", "has no meaning", host("{token}.github.com")},
		{
			"tinker", "attach[0].paths", "slash",
			edit(func(a *catalog.Attach) { a.Paths[0] = "services/" }),
		},
		{
			"tinker",
			"attach[0].auth",
			`no recipe "magic"`,
			edit(func(a *catalog.Attach) { a.Auth = "magic" }),
		},
		{
			"tinker", "attach[0].strip.headers", "which the recipe",
			edit(func(a *catalog.Attach) { a.Strip.Headers = []string{"X-API-Key"} }),
		},
		{
			"github", "attach[1].strip.headers", "which the recipe",
			func(e *entry) { e.Attach[1].Strip.Headers = nil },
		},
		{
			"anthropic",
			"attach[0].strip.headers",
			`recipe "bearer"`,
			edit(func(a *catalog.Attach) { a.Strip.Headers = []string{"X-Api-Key"} }),
		},
		{
			"tinker", "attach[0].strip.headers", "not the name of a header",
			edit(func(a *catalog.Attach) { a.Strip.Headers = append(a.Strip.Headers, "") }),
		},
		{
			"tinker", "attach[0].keep_client_headers", "not the name",
			edit(func(a *catalog.Attach) { a.KeepClientHeaders = []string{"a:"} }),
		},
		{
			"github", "attach[0].require_headers", "not the name",
			edit(func(a *catalog.Attach) { a.RequireHeaders = []string{"ü"} }),
		},
		{
			"tinker", "attach[0].stream", "one of",
			edit(func(a *catalog.Attach) { a.Stream = []string{"smoke"} }),
		},
		{
			"tinker", "attach[2].redirects.forward_auth", "one of",
			func(e *entry) { e.Attach[2].Redirects.ForwardAuth = "always" },
		},
		{
			"tinker", "attach[2].idle_timeout", "duration",
			func(e *entry) { e.Attach[2].IdleTimeout = "-1s" },
		},
		{
			"tinker", "attach[1]", "attach[0] matches the same",
			func(e *entry) { e.Attach[0], e.Attach[2] = e.Attach[2], e.Attach[0] },
		},
		{"openai", "attach[1]", "attach[0] matches the same", func(e *entry) {
			e.Attach[0].Paths = nil
			e.Attach = append(e.Attach, e.Attach[0])
		}},
	})
}

func TestAMintMustBeSound(t *testing.T) {
	edit := func(f func(*catalog.Mint)) func(*entry) {
		return func(e *entry) { f(&e.Attach[2].Mints[0]) }
	}
	const mint = "attach[2].mints[/services/tinker-prod/api/v1/auth/token]"
	refuses(t, []broken{
		{"tinker", mint + ".method", "one of", edit(func(m *catalog.Mint) { m.Method = "post" })},
		{
			"tinker", "attach[2].mints[token].path", "slash",
			edit(func(m *catalog.Mint) { m.Path = "token" }),
		},
		{
			"tinker", mint + ".json", "not a JSON pointer",
			edit(func(m *catalog.Mint) { m.JSON = []string{"/jwt", "jwt"} }),
		},
		{"tinker", mint + ".json", "have one", edit(func(m *catalog.Mint) { m.JSON = nil })},
		{
			"tinker", mint + ".treat_as", "no format",
			edit(func(m *catalog.Mint) { m.TreatAs = "cookie" }),
		},
	})
}

func TestWhatIsDeniedMustBeSound(t *testing.T) {
	edit := func(f func(*catalog.Endpoint)) func(*entry) {
		return func(e *entry) { f(&e.Attach[0].Deny[0]) }
	}
	refuses(t, []broken{
		{
			"openai", "attach[0].deny[/v1/realtime/client_secrets].method", "one of",
			edit(func(d *catalog.Endpoint) { d.Method = "post" }),
		},
		{
			"openai", "attach[0].deny[v1].path", "slash",
			edit(func(d *catalog.Endpoint) { d.Path = "v1" }),
		},
		{
			"openai", "attach[0].deny[/v1/].path", "without one",
			edit(func(d *catalog.Endpoint) { d.Path = "/v1/" }),
		},
		{
			"openai", "attach[0].deny[/v2/keys].path", "below a path",
			edit(func(d *catalog.Endpoint) { d.Path = "/v2/keys" }),
		},
		{"openai", "attach[1].deny[/v1/keys].path", "matches it first", func(e *entry) {
			later := e.Attach[0]
			later.Paths, later.Deny = []string{"/"}, []catalog.Endpoint{{Path: "/v1/keys"}}
			e.Attach = append(e.Attach, later)
		}},
	})
}

func TestTheClientSectionMustBeSound(t *testing.T) {
	edit := func(f func(*catalog.Client)) func(*entry) {
		return func(e *entry) { f(&e.Client) }
	}
	refuses(t, []broken{
		{
			"github", "client.base_url[0].env", "must match",
			edit(func(c *catalog.Client) { c.BaseURL[0].Env = "" }),
		},
		{
			"github", "client.base_url[0].scheme", "one of",
			edit(func(c *catalog.Client) { c.BaseURL[0].Scheme = "http" }),
		},
		{
			"github",
			"client.base_url[0].default",
			"host name",
			edit(func(c *catalog.Client) { c.BaseURL[0].Default = "https://github.com" }),
		},
		{
			"github",
			"client.base_url[1].default",
			"https URL",
			edit(func(c *catalog.Client) { c.BaseURL[1].Default = "http://api.github.com" }),
		},
		{
			"github", "client.unset_env", "must match",
			edit(func(c *catalog.Client) { c.UnsetEnv = []string{"a-b"} }),
		},
		{
			"github", "client.modes", "one of",
			edit(func(c *catalog.Client) { c.Modes = []string{"magic"} }),
		},
		{
			"github", "client.placeholder", "{lease}",
			edit(func(c *catalog.Client) { c.Placeholder = "ghp_x" }),
		},
		{
			"github", "client.placeholder", "has no meaning",
			edit(func(c *catalog.Client) { c.Placeholder = "ghp_{lease}{token}" }),
		},
		{
			"github", "client.placeholder", "must begin",
			edit(func(c *catalog.Client) { c.Placeholder = "xyz_{lease}" }),
		},
	})
}

func TestALimitItselfIsAllowed(t *testing.T) {
	all := entries(t)[:4]
	e := &all[0]
	e.Fields[0].MaxLength = 64 << 10
	e.Fields[0].Formats[0].Mask.Head = len(
		expand(t, e.Fields[0].Formats[0].Examples[0]),
	) - 16 - e.Fields[0].Formats[0].Mask.Tail
	e.Verify[0].Rules[0].When.Status = []int{200, 599}
	if _, err := parse(t, all); err != nil {
		t.Error(err)
	}
}

func TestAPresetsVariableIsThatOfItsValue(t *testing.T) {
	all := entries(t)[:4]
	all[0].Fields = append(
		all[0].Fields,
		catalog.Field{
			ID:     "webhook",
			Label:  "Webhook secret (optional)",
			Secret: true,
			Env:    "OPENAI_WEBHOOK_SECRET",
		},
		catalog.Field{ID: "region", Label: "Region", Required: true, Env: "OPENAI_REGION"},
	)
	c, err := parse(t, all)
	if err != nil {
		t.Fatal(err)
	}
	if p, _ := c.Preset("openai"); p.EnvVarName != "OPENAI_API_KEY" {
		t.Errorf("got %s", p.EnvVarName)
	}
}

func TestAllFaultsAreToldAtOnce(t *testing.T) {
	all := entries(t)[:4]
	all[0].Name, all[2].Client.Placeholder = "", "ghp_"
	_, err := parse(t, all)
	if err == nil || !strings.Contains(err.Error(), "openai: name: ") ||
		!strings.Contains(err.Error(), "github: client.placeholder: ") {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoCatalogIsRefused(t *testing.T) {
	one := loadSeeds(t)[8]
	for _, text := range []string{
		"", "null", "[]", "{}", "[1]", one + "[]", one + "x",
		strings.Replace(one, `"schema":1`, `"schema":1,"colour":"red"`, 1),
		strings.Replace(one, `"label":`, `"colour":"red","label":`, 1),
		strings.Replace(one, `"schema":1`, `"schema":"1"`, 1),
	} {
		if c, err := catalog.Parse([]byte(text)); err == nil || c != nil {
			t.Errorf("%.40q was taken", text)
		}
	}
	if _, err := catalog.Parse([]byte(one)); err != nil {
		t.Errorf("the entry that the others were made of was refused: %v", err)
	}
}

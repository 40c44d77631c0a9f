package catalog

// An Entry is all that is known of one provider: a file in providers/.
type Entry struct {
	Schema    int    `json:"schema"` // 1
	ID        string `json:"id"`     // never changes
	Name      string `json:"name"`
	Category  string `json:"category"`
	Docs      string `json:"docs"`
	CreateKey string `json:"create_key"`

	Confidence string `json:"confidence"` // high, medium or low
	Checked    string `json:"checked"`    // the day somebody last looked, as 2006-01-02

	Fields []Field           `json:"fields"`
	Params []Param           `json:"params,omitempty"`
	Auth   map[string]Recipe `json:"auth,omitempty"`
	Attach []Attach          `json:"attach,omitempty"` // first match wins, longest path first
	Client Client            `json:"client,omitzero"`
	Verify []Check           `json:"verify,omitempty"`
	Revoke *Revoke           `json:"revoke,omitempty"`

	Sources Sources `json:"sources,omitzero"`
	// what no source was found for; "attach: …" stands for a whole section
	Unverified []string `json:"unverified,omitempty"`
}

// Sources says, for each section of an entry, where its facts come from.
type Sources struct {
	Env     []string `json:"env,omitempty"`
	Formats []string `json:"formats,omitempty"`
	Verify  []string `json:"verify,omitempty"`
	Attach  []string `json:"attach,omitempty"`
	Revoke  []string `json:"revoke,omitempty"`
}

// A Param is a value that is no secret and that hosts depend on: a region, a site. Exactly one of
// Pattern and Enum limits it.
type Param struct {
	ID      string   `json:"id"`
	Label   string   `json:"label"`
	Env     string   `json:"env,omitempty"`
	Default string   `json:"default,omitempty"`
	Pattern string   `json:"pattern,omitempty"`
	Enum    []string `json:"enum,omitempty"`
}

// A Client says how programs of this provider are pointed at a broker, and what else they need to
// be told.
type Client struct {
	BaseURL []BaseURL `json:"base_url,omitempty"`
	// variables to clear, lest the program find two credentials
	UnsetEnv []string `json:"unset_env,omitempty"`
	// proxy_mitm, inject_env: what works where a base URL does not
	Modes []string `json:"modes,omitempty"`
	// stands in for the key, in its shape, with {lease} in it
	Placeholder string   `json:"placeholder,omitempty"`
	Notes       []string `json:"notes,omitempty"`
}

// A BaseURL is a variable from which programs read where the provider is.
type BaseURL struct {
	Env     string `json:"env"`
	Default string `json:"default"`
	Scheme  string `json:"scheme"` // any, https_only, https_except_loopback or hostname_only
}

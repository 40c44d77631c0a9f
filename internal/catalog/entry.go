package catalog

// An Entry has all facts about one provider. It is one file in providers/.
type Entry struct {
	Schema    int    `json:"schema"` // 1
	ID        string `json:"id"`     // never changes
	Name      string `json:"name"`
	Category  string `json:"category"`
	Docs      string `json:"docs"`
	CreateKey string `json:"create_key,omitempty"`

	Confidence string `json:"confidence"` // high, medium or low
	Checked    string `json:"checked"`    // date of the last review, as 2006-01-02

	Fields []Field           `json:"fields"`
	Params []Param           `json:"params,omitempty"`
	Auth   map[string]Recipe `json:"auth,omitempty"`
	Attach []Attach          `json:"attach,omitempty"` // longest path first
	Client Client            `json:"client,omitzero"`
	Verify []Check           `json:"verify,omitempty"`
	Revoke *Revoke           `json:"revoke,omitempty"`

	Sources Sources `json:"sources,omitzero"`
	// Unverified lists the facts without a source. "attach: …" stands for a whole section.
	Unverified []string `json:"unverified,omitempty"`
}

// Sources has the sources of the facts, by section of the entry.
type Sources struct {
	Env     []string `json:"env,omitempty"`
	Formats []string `json:"formats,omitempty"`
	Verify  []string `json:"verify,omitempty"`
	Attach  []string `json:"attach,omitempty"`
	Revoke  []string `json:"revoke,omitempty"`
}

// A Param is a value that is not secret and is part of hosts, such as a region. Either Pattern or
// Enum limits it.
type Param struct {
	ID      string   `json:"id"`
	Label   string   `json:"label"`
	Env     string   `json:"env,omitempty"`
	Default string   `json:"default,omitempty"`
	Pattern string   `json:"pattern,omitempty"`
	Enum    []string `json:"enum,omitempty"`
}

// A Client says how to point the provider's programs at a broker.
type Client struct {
	BaseURL []BaseURL `json:"base_url,omitempty"`
	// UnsetEnv lists variables to clear, so that a program finds only one credential.
	UnsetEnv []string `json:"unset_env,omitempty"`
	// Modes lists what works where a base URL does not: proxy_mitm, inject_env, and for GitHub's
	// programs gh_socket and git_config.
	Modes []string `json:"modes,omitempty"`
	// Git has the beginnings of URLs that git can reach by a broker, as user GitUser with the key
	// as the password. GH has the hosts that gh reaches by its http_unix_socket.
	Git     []string `json:"git,omitempty"`
	GitUser string   `json:"git_user,omitempty"`
	GH      []string `json:"gh,omitempty"`
	// Placeholder replaces the key. It begins like a key, and ends in {lease}.
	Placeholder string   `json:"placeholder,omitempty"`
	Notes       []string `json:"notes,omitempty"`
}

// A BaseURL is a variable from which programs read the address of the provider.
type BaseURL struct {
	Env     string `json:"env"`
	Default string `json:"default"`
	Scheme  string `json:"scheme"` // any, https_only, https_except_loopback or hostname_only
}

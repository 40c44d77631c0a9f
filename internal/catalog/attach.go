package catalog

// A Recipe is a way to put a credential on a request. {field} and {param} in it stand for the
// values of those ids.
type Recipe struct {
	// header, basic, query, path, ws_subprotocol or grpc
	In string `json:"in"`
	// of the header, the query parameter or the metadata key
	Name     string `json:"name,omitempty"`
	Value    string `json:"value,omitempty"`    // all but basic
	Username string `json:"username,omitempty"` // basic
	Password string `json:"password,omitempty"` // basic
}

// An Attach says to which requests a credential belongs, and what else happens to them on the way.
type Attach struct {
	// exact, or with a leading "*." that stands for one label or more; may use params
	Hosts             []string `json:"hosts"`
	Paths             []string `json:"paths,omitempty"` // prefixes; none means every path
	Auth              string   `json:"auth"`            // a recipe of the entry
	Strip             Strip    `json:"strip,omitzero"`
	KeepClientHeaders []string `json:"keep_client_headers,omitempty"`
	// the provider refuses requests without them
	RequireHeaders []string `json:"require_headers,omitempty"`
	// content codings that go through untouched
	PassEncodings []string `json:"pass_encodings,omitempty"`
	// sse, websocket, chunked, long_poll, protobuf
	Stream      []string  `json:"stream,omitempty"`
	Redirects   Redirects `json:"redirects,omitzero"`
	IdleTimeout string    `json:"idle_timeout,omitempty"` // as time.ParseDuration reads it
	Mints       []Mint    `json:"mints,omitempty"`
	Note        string    `json:"note,omitempty"`
}

// A Strip names every place where the provider would accept a credential: all are emptied before
// one is filled.
type Strip struct {
	Headers        []string `json:"headers,omitempty"`
	Query          []string `json:"query,omitempty"`
	WSSubprotocols []string `json:"ws_subprotocols,omitempty"` // prefixes
}

// Redirects says what a broker does with an answer that points elsewhere. The zero value follows
// none and forwards nothing.
type Redirects struct {
	Follow      bool   `json:"follow,omitempty"`
	ForwardAuth string `json:"forward_auth,omitempty"` // same_host, or empty for never
}

// A Mint is an answer that carries a new credential, which a broker must not let through.
type Mint struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	JSON    string `json:"json"`     // where in the answer: a JSON pointer, RFC 6901
	TreatAs string `json:"treat_as"` // the format that the new credential has
}

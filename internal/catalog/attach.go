package catalog

import "time"

// A Recipe is a way to attach a credential to a request. {ID} stands for the value of the field or
// param with that id.
type Recipe struct {
	In       string `json:"in"`                 // header, basic, query, path, ws_subprotocol, grpc
	Name     string `json:"name,omitempty"`     // of the header, query parameter or metadata key
	Value    string `json:"value,omitempty"`    // for all but basic
	Username string `json:"username,omitempty"` // for basic
	Password string `json:"password,omitempty"` // for basic
}

// An Attach says which requests get a credential, and what else a broker does to them.
type Attach struct {
	// Hosts are exact, or begin with "*." for one or more labels. They may use params.
	Hosts             []string `json:"hosts"`
	Paths             []string `json:"paths,omitempty"` // prefixes; none means every path
	Auth              string   `json:"auth"`            // a recipe of the entry
	Strip             Strip    `json:"strip,omitzero"`
	KeepClientHeaders []string `json:"keep_client_headers,omitempty"`
	// RequireHeaders lists headers without which the provider refuses a request.
	RequireHeaders []string `json:"require_headers,omitempty"`
	// PassEncodings lists the content codings that a broker passes on unchanged.
	PassEncodings []string `json:"pass_encodings,omitempty"`
	// Stream lists what applies of sse, websocket, chunked, long_poll, protobuf, eventstream and
	// grpc.
	Stream      []string  `json:"stream,omitempty"`
	Redirects   Redirects `json:"redirects,omitzero"`
	IdleTimeout string    `json:"idle_timeout,omitempty"` // as time.ParseDuration reads it
	Mints       []Mint    `json:"mints,omitempty"`
	// Deny lists what a broker refuses, because the answer has a credential that would work
	// without it, or the request makes one.
	Deny  []Endpoint `json:"deny,omitempty"`
	Usage Usage      `json:"usage,omitzero"`
	// Refusal is the body of an error as the provider words it, so that its clients can show one of
	// a broker. {message} and {code} stand for what happened, in the value of any member.
	Refusal map[string]any `json:"refusal,omitempty"`
	// NoRedact is for protocols that a changed response would break.
	NoRedact bool   `json:"no_redact,omitempty"`
	Note     string `json:"note,omitempty"`
}

// A Strip lists every part of a request in which the provider accepts a credential. A broker
// removes all of them before it attaches its own.
type Strip struct {
	Headers        []string `json:"headers,omitempty"`
	Query          []string `json:"query,omitempty"`
	WSSubprotocols []string `json:"ws_subprotocols,omitempty"` // prefixes
}

// Redirects says how a broker handles a redirect. The zero value follows none.
type Redirects struct {
	Follow      bool   `json:"follow,omitempty"`
	ForwardAuth string `json:"forward_auth,omitempty"` // same_host, or empty for never
}

// A Usage says where a response tells how many tokens it took: JSON pointers, RFC 6901, into its
// body, or into each event of one that streams. Some members repeat in later events, so the largest
// number of each list is the one that counts.
type Usage struct {
	Input  []string `json:"input,omitempty"`
	Output []string `json:"output,omitempty"`
}

// Idle returns how long a stream may carry nothing: IdleTimeout, or the given time without one.
func (a Attach) Idle(otherwise time.Duration) time.Duration {
	if d, err := time.ParseDuration(a.IdleTimeout); err == nil && d > 0 {
		return d
	}
	return otherwise
}

// A Mint is a response with a new credential, which a broker must not pass on.
type Mint struct {
	Method  string   `json:"method"`
	Path    string   `json:"path"`
	JSON    []string `json:"json"`     // pointers into the response, RFC 6901: one or more exist
	TreatAs string   `json:"treat_as"` // the format of the new credential
}

// An Endpoint is a path, with "*" for one or more of its segments.
type Endpoint struct {
	Method string `json:"method,omitempty"` // empty for every method
	Path   string `json:"path"`
}

package catalog

// A Check is a harmless request that tells whether a key works.
type Check struct {
	ID      string   `json:"id"`
	Formats []string `json:"formats"` // the formats it is for; "*" is for keys that match none
	Request Request  `json:"request"`
	Cost    Cost     `json:"cost"`
	// first match wins; where none matches, the outcome is indeterminate
	Rules   []Rule    `json:"rules"`
	Extract []Extract `json:"extract,omitempty"`
}

// OnByDefault is false for a check that costs the user money: it stays off until the user turns it
// on.
func (c Check) OnByDefault() bool { return c.Cost == CostFree }

// A Cost says whether the provider charges for a check.
type Cost string

// The costs there are.
const (
	CostFree    Cost = "free"
	CostMetered Cost = "metered"
)

// A Request is what is sent. Its URL is https, on a host where the entry attaches the credential.
type Request struct {
	Method string `json:"method"`
	// may use params, never a field: URLs are logged
	URL string `json:"url"`
	// a recipe of the entry; none means that the key is in the body
	Auth    string            `json:"auth,omitempty"`
	Headers map[string]string `json:"headers,omitempty"` // may use params and {service_ua}
	JSON    map[string]any    `json:"json,omitempty"`    // the body; may use params and fields
}

// A Rule reads an answer: if all of When holds, the outcome is Then.
type Rule struct {
	When When    `json:"when"`
	Then Outcome `json:"then"`
	Note string  `json:"note,omitempty"`
}

// When is a condition on an answer; all of its parts must hold, and there is at least one.
type When struct {
	Status []int             `json:"status,omitempty"` // one of these
	Header map[string]string `json:"header,omitempty"` // this value, or "*" for any
	// at this JSON pointer, one of these values, or "*" for any
	JSON map[string][]any `json:"json,omitempty"`
	Body string           `json:"body,omitempty"` // RE2, found anywhere in the body
}

// An Outcome is what a check found out. None of them stops a save, and only invalid is ever shown
// as an error.
type Outcome string

// The outcomes there are.
const (
	OutcomeValid         Outcome = "valid"
	OutcomeValidLimited  Outcome = "valid_limited" // works, but not for everything
	OutcomeBlocked       Outcome = "blocked"       // valid, but unusable now: billing, policy
	OutcomeInvalid       Outcome = "invalid"
	OutcomeRateLimited   Outcome = "rate_limited"
	OutcomeIndeterminate Outcome = "indeterminate"
)

// An Extract takes a fact about the key from the answer, from exactly one of Header, JSON and JWT.
type Extract struct {
	To     string `json:"to"`
	Header string `json:"header,omitempty"`
	JSON   string `json:"json,omitempty"` // a JSON pointer, RFC 6901
	JWT    string `json:"jwt,omitempty"`  // a claim of the key itself
	Type   string `json:"type,omitempty"` // string (the default), csv, time or count
	// how a time may be written, in Go's form; tried in order
	Layouts []string `json:"layouts,omitempty"`
}

// A Revoke is the request that makes a provider forget a key. It is sent only when a user asks for
// exactly that.
type Revoke struct {
	Formats []string `json:"formats"`
	Request Request  `json:"request"`
	Success []int    `json:"success"` // statuses
}

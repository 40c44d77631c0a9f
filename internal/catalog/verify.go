package catalog

// A Check is a harmless request that tells whether a key works.
type Check struct {
	ID      string   `json:"id"`
	Formats []string `json:"formats"` // it is for keys of these; "*" for keys that match none
	Request Request  `json:"request"`
	Cost    Cost     `json:"cost"`
	// Shape has JSON pointers, RFC 6901, of which the body of every answer of the provider has one.
	// An answer without any is not the provider's, but a gateway's, say, and tells nothing. No
	// pointer stands for any JSON object or array.
	Shape []string `json:"shape,omitempty"`
	// The first match of Rules applies. Without a match the outcome is indeterminate.
	Rules   []Rule    `json:"rules"`
	Extract []Extract `json:"extract,omitempty"`
}

// OnByDefault reports whether a check costs no money. Others stay off until the user turns them on.
func (c Check) OnByDefault() bool { return c.Cost == CostFree }

// A Cost says whether the provider charges for a check.
type Cost string

// The costs.
const (
	CostFree    Cost = "free"
	CostMetered Cost = "metered"
)

// A Request is what a check or a revocation sends.
type Request struct {
	Method string `json:"method"`
	// URL is https, on a host where the entry attaches the credential. It may use params, but no
	// field, because URLs are logged.
	URL string `json:"url"`
	// Auth is a recipe of the entry. Without one the key is in the body, which is JSON or a form.
	Auth    string            `json:"auth,omitempty"`
	Headers map[string]string `json:"headers,omitempty"` // may use params and {service_ua}
	JSON    map[string]any    `json:"json,omitempty"`    // may use params and fields
	Form    map[string]string `json:"form,omitempty"`    // may use params and fields
}

// A Rule says what a response means: if all of When holds, the outcome is Then.
type Rule struct {
	When When    `json:"when"`
	Then Outcome `json:"then"`
	Note string  `json:"note,omitempty"`
}

// When is a condition on a response. It has one or more parts, and all must hold.
type When struct {
	Status []int             `json:"status,omitempty"` // one of these
	Header map[string]string `json:"header,omitempty"` // with this value; "*" for any
	// JSON has, by JSON pointer, the possible values; "*" for any but null.
	JSON map[string][]any `json:"json,omitempty"`
	Body string           `json:"body,omitempty"` // RE2, found anywhere in the body
}

// An Outcome is the result of a check. None of them prevents a save, and only invalid is shown as
// an error.
type Outcome string

// The outcomes.
const (
	OutcomeValid         Outcome = "valid"
	OutcomeValidLimited  Outcome = "valid_limited" // works, but not for everything
	OutcomeBlocked       Outcome = "blocked"       // valid, but blocked by billing or policy
	OutcomeInvalid       Outcome = "invalid"
	OutcomeRateLimited   Outcome = "rate_limited"
	OutcomeIndeterminate Outcome = "indeterminate"
)

// IsValid reports whether the provider knows the key.
func (o Outcome) IsValid() bool {
	return o == OutcomeValid || o == OutcomeValidLimited || o == OutcomeBlocked
}

// An Extract reads a fact about the key from exactly one of Header, JSON and JWT.
type Extract struct {
	To     string `json:"to"`
	Header string `json:"header,omitempty"`
	JSON   string `json:"json,omitempty"` // a JSON pointer, RFC 6901
	JWT    string `json:"jwt,omitempty"`  // a claim of the key itself
	Type   string `json:"type,omitempty"` // string (the default), csv, time or count
	// Layouts are the forms of a time, as in package time, to try in order.
	Layouts []string `json:"layouts,omitempty"`
}

// A Revoke is the request by which a provider revokes a key. It is sent only when a user asks for
// exactly that.
type Revoke struct {
	Formats []string `json:"formats"`
	Request Request  `json:"request"`
	Success []int    `json:"success"` // statuses
}

package wire

// The ways in which a lease delivers what it grants.
const (
	DeliveryBundle = "bundle" // sealed to a recipient, in the answer that makes the lease
	DeliveryTicket = "ticket" // a ticket, for which the first who presents it gets the bundle
	DeliveryBroker = "broker" // not at all: a broker puts the values on requests
)

// The states of a lease.
const (
	LeaseActive   = "active" // its ticket has not been redeemed, or the broker knows it
	LeaseRedeemed = "redeemed"
	LeaseExpired  = "expired"
	LeaseRevoked  = "revoked"
	LeaseDisputed = "disputed" // its ticket was presented once more: somebody else has it
)

// CreateLease is the body of POST /user/leases.
type CreateLease struct {
	SecretIDs []string `json:"secret_ids" required:"true"` // UUIDs, 1 to 50
	Delivery  string   `json:"delivery" required:"true"`   // a Delivery constant
	// Recipient is a public key: needed for a bundle, and refused otherwise.
	Recipient  *string       `json:"recipient"`
	TTLSeconds *int64        `json:"ttl_seconds"` // 60 to 604800 (7 days); null for an hour
	Run        *Run          `json:"run"`
	Broker     *BrokerLimits `json:"broker"` // only for the broker; null for no limits
}

// BrokerLimits bound what the broker does for a lease, over all its secrets together. What is null
// has no limit. They narrow what the preset of a secret allows, and never widen it.
type BrokerLimits struct {
	RequestsPerMinute  *int64    `json:"requests_per_minute"`
	ConcurrentRequests *int64    `json:"concurrent_requests"`
	Requests           *int64    `json:"requests"` // in all
	Bytes              *int64    `json:"bytes"`    // of bodies in both directions, in all
	Tokens             *int64    `json:"tokens"`   // as the provider reports them, in all
	Methods            *[]string `json:"methods"`
	PathPrefixes       *[]string `json:"path_prefixes"` // of the provider's own paths
	Egress             *string   `json:"egress"`        // an Egress constant; null for deny
	Params             *[]string `json:"params"`        // of hosts, each NAME=VALUE
}

// What the broker's proxy does with other hosts than those of the secrets.
const (
	EgressDeny = "deny" // it refuses them
	EgressOpen = "open" // it passes them on untouched
)

// A Run says what a lease is for, in the words of who asked for it: each member is null, or has 1
// to 128 printable characters.
type Run struct {
	ID    *string `json:"id"`
	Label *string `json:"label"`
}

// A Lease is a grant to use chosen secrets in one run.
type Lease struct {
	ID          string         `json:"id"` // UUID
	Delivery    string         `json:"delivery"`
	State       string         `json:"state"`
	Secrets     []LeasedSecret `json:"secrets"`
	Run         *Run           `json:"run"` // null where none was named
	RequestedBy Requester      `json:"requested_by"`
	CreatedAt   Time           `json:"created_at"`
	ExpiresAt   Time           `json:"expires_at"`
	RedeemedAt  *Time          `json:"redeemed_at"` // null before
	RevokedAt   *Time          `json:"revoked_at"`  // null if it was not
	DisputedAt  *Time          `json:"disputed_at"` // null if it was not
	// Broker is only there for the delivery broker.
	Broker *LeaseBroker `json:"broker,omitempty"`
	// Bundle is only in the answer that delivers it.
	Bundle *Bundle `json:"bundle,omitempty"`
	// Ticket is only in the answer that makes the lease.
	Ticket string `json:"ticket,omitempty"`
}

// A LeasedSecret is a secret as a lease names it.
type LeasedSecret struct {
	ID      string `json:"id"`
	Name    string `json:"name"`    // when the lease was made
	Version *int64 `json:"version"` // that was delivered; null before
}

// A LeaseBroker says how to use the secrets of a lease at the broker.
type LeaseBroker struct {
	Limits BrokerLimits `json:"limits"`
	// URL is where programs reach the broker. Only in the answer that makes the lease.
	URL string `json:"url,omitempty"`
	// Secrets say what to set for programs. Only in the answer that makes the lease.
	Secrets []BrokeredSecret `json:"secrets,omitempty"`
}

// A BrokeredSecret says what programs get in place of a value.
type BrokeredSecret struct {
	SecretID string `json:"secret_id"`
	Name     string `json:"name"`
	Provider string `json:"provider"`
	// Placeholder takes the place of the value. It has the form of a key of the provider.
	Placeholder string `json:"placeholder"`
	// BaseURLs are variables that lead programs to the broker.
	BaseURLs []BrokerVariable `json:"base_urls"`
	// Unset are variables that a program may not have, because it would find two credentials.
	Unset []string `json:"unset"`
	// Git are the URLs below which git is led to the broker.
	Git []BrokerGit `json:"git"`
	// GH are the hosts that gh reaches by a socket, on which each request says its host.
	GH []string `json:"gh"`
	// NeedsProxy: no variable leads the provider's programs to the broker. It is their proxy.
	NeedsProxy bool `json:"needs_proxy"`
}

// A BrokerVariable is a variable from which programs read the address of a provider.
type BrokerVariable struct {
	Name string `json:"name"`
	Path string `json:"path"` // what follows the broker's URL
	// Scheme is any, https_only or https_except_loopback: what programs accept.
	Scheme string `json:"scheme"`
}

// A BrokerGit is a URL that git replaces by the broker's.
type BrokerGit struct {
	URL  string `json:"url"`  // such as https://github.com/
	Path string `json:"path"` // what follows the broker's URL in its place
	User string `json:"user"` // that goes with the placeholder
}

// A BrokeredRequest is what is recorded of a request that the broker got.
type BrokeredRequest struct {
	ID             string  `json:"id"` // UUID
	At             Time    `json:"at"`
	SecretID       *string `json:"secret_id"` // null where it is not known
	Method         string  `json:"method"`
	Host           string  `json:"host"`
	Path           string  `json:"path"` // a template
	Status         int64   `json:"status"`
	BytesSent      int64   `json:"bytes_sent"`
	BytesReceived  int64   `json:"bytes_received"`
	DurationMicros int64   `json:"duration_us"`
	Tokens         int64   `json:"tokens"`
	Refused        *string `json:"refused"` // the rule by which it got no key; null if it got one
	Detail         *string `json:"detail"`  // of a refusal, for people
}

// BrokeredRequestList is the answer to GET /user/leases/{lease_id}/requests, oldest first.
type BrokeredRequestList struct {
	Requests []BrokeredRequest `json:"requests"`
}

// A Requester is the API key that asked for a lease.
type Requester struct {
	ID   string `json:"id"`
	Name string `json:"name"` // empty where none was given
	// ActingUser is whose key that is, if it is another user's.
	ActingUser *ActingUser `json:"acting_user"`
}

// A Bundle is values, sealed to the recipient's key.
type Bundle struct {
	Server string `json:"server"` // UUID of the instance
	Lease  string `json:"lease"`  // UUID
	Sealed []byte `json:"sealed"` // base 64
}

// LeaseList is a page of the answer to GET /user/leases, newest first.
type LeaseList struct {
	Leases []Lease `json:"leases"`
	Next   *string `json:"next"` // the cursor of the page after it; null for the last one
}

// RevokedLease is the answer to DELETE /user/leases/{lease_id}.
type RevokedLease struct {
	Lease Lease `json:"lease"`
	// Delivered: the values were handed out, and no revocation takes them back.
	Delivered bool   `json:"delivered"`
	Advice    string `json:"advice"` // for people
}

// RedeemTicket is the body of POST /leases/redeem.
type RedeemTicket struct {
	Recipient string `json:"recipient" required:"true"`
}

// SecretUsage is the answer to GET /user/secrets/{secret_id}/usage.
type SecretUsage struct {
	SecretID   string     `json:"secret_id"`
	Uses       int64      `json:"uses"` // how often its value was delivered
	LastUsedAt *Time      `json:"last_used_at"`
	LastLease  *LastLease `json:"last_lease"` // null before the first use
	// LiveLeases are the newest that have the secret and are neither revoked nor expired: at most
	// 100, among the newest 1000 leases of the user.
	LiveLeases []Lease `json:"live_leases"`
}

// LastLease says by which lease a secret was used last.
type LastLease struct {
	ID  string `json:"id"`
	Run *Run   `json:"run"`
}

// SecretUsageList is the answer to GET /user/secrets/usage, in the order of the secrets' names.
type SecretUsageList struct {
	Usage []UsageSummary `json:"usage"`
}

// A UsageSummary says how a secret is used.
type UsageSummary struct {
	SecretID   string `json:"secret_id"`
	Uses       int64  `json:"uses"`
	LastUsedAt *Time  `json:"last_used_at"`
	LiveLeases int    `json:"live_leases"` // among the newest 1000 leases of the user
}

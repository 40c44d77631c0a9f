package wire

// The ways in which a lease delivers what it grants.
const (
	DeliveryBundle = "bundle" // sealed to a recipient, in the answer that makes the lease
	DeliveryTicket = "ticket" // a ticket, for which the first who presents it gets the bundle
)

// The states of a lease.
const (
	LeaseActive   = "active" // its ticket has not been redeemed
	LeaseRedeemed = "redeemed"
	LeaseExpired  = "expired"
	LeaseRevoked  = "revoked"
	LeaseDisputed = "disputed" // its ticket was presented once more: somebody else has it
)

// CreateLease is the body of POST /user/leases.
type CreateLease struct {
	SecretIDs []string `json:"secret_ids" required:"true"` // UUIDs, 1 to 50
	Delivery  string   `json:"delivery" required:"true"`   // a Delivery constant
	// Recipient is a public key: needed for a bundle, refused for a ticket.
	Recipient  *string `json:"recipient"`
	TTLSeconds *int64  `json:"ttl_seconds"` // 60 to 604800 (7 days); null for an hour
	Run        *Run    `json:"run"`
}

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

// A Requester is the API key that asked for a lease.
type Requester struct {
	ID   string `json:"id"`
	Name string `json:"name"` // empty where none was given
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

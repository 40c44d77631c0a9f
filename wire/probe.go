package wire

// The outcomes of a probe.
const (
	OutcomeValid         = "valid"
	OutcomeValidLimited  = "valid_limited" // it works, but not for everything
	OutcomeBlocked       = "blocked"       // it is valid, and blocked by billing or policy
	OutcomeInvalid       = "invalid"
	OutcomeRateLimited   = "rate_limited"
	OutcomeIndeterminate = "indeterminate" // the answer does not tell
)

// What the owner of a secret is warned of.
const (
	WarnInvalid     = "invalid"   // the provider says that the key does not work
	WarnSuspected   = "suspected" // it refused a request with the key
	WarnExpired     = "expired"
	WarnExpiresSoon = "expires_soon"
	WarnUnused      = "unused" // for long
)

// SecretHealth is what is known of the current version of a secret: what its provider said, and
// what its owner did. It is the answer to GET /user/secrets/{secret_id}/health and to POST
// /user/secrets/{secret_id}/probe.
type SecretHealth struct {
	SecretID  string  `json:"secret_id"`
	Version   int64   `json:"version"`
	Outcome   *string `json:"outcome"`    // null if the provider was not asked
	CheckedAt *Time   `json:"checked_at"` // null if the provider was not asked
	Note      *string `json:"note"`       // why, for people
	// KeyExpiresAt is when the key expires; null if the provider does not say.
	KeyExpiresAt *Time             `json:"key_expires_at"`
	Facts        map[string]string `json:"facts"` // what the provider says of the key
	// ExpiresAt is when the secret expires, as its owner says; null for never.
	ExpiresAt *Time `json:"expires_at"`
	// RemindBefore is how many seconds before ExpiresAt it expires soon; null without one.
	RemindBefore *int64 `json:"remind_before"`
	// UnusedSince is when the value was handed out last, or stored first.
	UnusedSince Time `json:"unused_since"`
	// WorkedAt is when the provider last did what a request at the broker asked with this version;
	// null if none did that shows it. RefusedAt is when it last refused the key of one.
	WorkedAt  *Time    `json:"worked_at"`
	RefusedAt *Time    `json:"refused_at"`
	Warnings  []string `json:"warnings"` // Warn constants
}

// An Expiry is when a secret expires, as its owner says. It is the answer to PUT
// /user/secrets/{secret_id}/expiry.
type Expiry struct {
	ExpiresAt    Time  `json:"expires_at"`
	RemindBefore int64 `json:"remind_before"` // how many seconds before that it expires soon
}

// SecretExpiry is the body of PUT /user/secrets/{secret_id}/expiry.
type SecretExpiry struct {
	ExpiresAt Timestamp `json:"expires_at" required:"true"`
	// RemindBefore is how many seconds before that it expires soon; null for 14 days.
	RemindBefore *int64 `json:"remind_before"`
}

// A Watch says what the server does for your secrets without being asked, in seconds. It is the
// answer to GET /user/watch, and the body of PUT and its answer.
type Watch struct {
	ProbeEvery  *int64 `json:"probe_every"`  // how often keys are probed; null for never
	UnusedAfter *int64 `json:"unused_after"` // when a secret counts as unused; null for never
}

// SecretHealthList is the answer to GET /user/secrets/health, in the order of the secrets' names.
type SecretHealthList struct {
	Health []SecretHealth `json:"health"`
}

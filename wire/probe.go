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

// SecretHealth is what a provider said of the current version of a secret. It is the answer to GET
// /user/secrets/{secret_id}/health and to POST /user/secrets/{secret_id}/probe.
type SecretHealth struct {
	SecretID  string  `json:"secret_id"`
	Version   int64   `json:"version"`
	Outcome   *string `json:"outcome"`    // null if the provider was not asked
	CheckedAt *Time   `json:"checked_at"` // null if the provider was not asked
	Note      *string `json:"note"`       // why, for people
	// ExpiresAt is when the key expires; null if the provider does not say.
	ExpiresAt *Time             `json:"expires_at"`
	Facts     map[string]string `json:"facts"` // what the provider says of the key
}

// SecretHealthList is the answer to GET /user/secrets/health, in the order of the secrets' names.
type SecretHealthList struct {
	Health []SecretHealth `json:"health"`
}

package wire

// A TrustRule lets in programs that show a token of an issuer with certain claims.
type TrustRule struct {
	ID          string               `json:"id"`   // UUID
	Name        string               `json:"name"` // empty where none was given
	Issuer      string               `json:"issuer"`
	Audience    string               `json:"audience"`
	Claims      []TrustClaim         `json:"claims"` // ordered by name
	Scopes      []string             `json:"scopes"`
	ForSeconds  int64                `json:"for_seconds"` // how long a credential works
	Active      bool                 `json:"active"`      // neither it nor a key above it has ended
	CreatedAt   Time                 `json:"created_at"`
	ExpiresAt   *Time                `json:"expires_at"`  // null for a rule that does not expire
	Credentials []WorkloadCredential `json:"credentials"` // that work, newest first
}

// A TrustClaim is a claim that a token must have, with exactly this text.
type TrustClaim struct {
	Name  string `json:"name" required:"true"`
	Value string `json:"value" required:"true"`
}

// A WorkloadCredential is what a rule gave for a token.
type WorkloadCredential struct {
	ID         string   `json:"id"`      // UUID
	Subject    string   `json:"subject"` // of the token
	Scopes     []string `json:"scopes"`
	CreatedAt  Time     `json:"created_at"`
	LastUsedAt *Time    `json:"last_used_at"` // null before the first use; a minute late at most
	ExpiresAt  Time     `json:"expires_at"`
}

// TrustRuleList is the answer to GET /user/trust, newest first.
type TrustRuleList struct {
	Rules []TrustRule `json:"rules"`
	Total int         `json:"total"`
}

// CreateTrustRule is the body of POST /user/trust.
type CreateTrustRule struct {
	Name       *string      `json:"name"`
	Issuer     string       `json:"issuer" required:"true"`
	Audience   string       `json:"audience" required:"true"`
	Claims     []TrustClaim `json:"claims" required:"true"` // at least one
	Scopes     []string     `json:"scopes" required:"true"`
	ForSeconds *int64       `json:"for_seconds"` // 60 to 3600; null for 900
}

// What the form of POST /auth/exchange has (RFC 8693).
const (
	GrantTokenExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	TokenTypeJWT       = "urn:ietf:params:oauth:token-type:jwt"
	TokenTypeID        = "urn:ietf:params:oauth:token-type:id_token"
	TokenTypeAccess    = "urn:ietf:params:oauth:token-type:access_token"
)

// Exchanged is the answer to POST /auth/exchange.
type Exchanged struct {
	AccessToken     string `json:"access_token"`
	IssuedTokenType string `json:"issued_token_type"` // TokenTypeAccess
	TokenType       string `json:"token_type"`        // Bearer
	ExpiresIn       int64  `json:"expires_in"`        // in seconds
	Scope           string `json:"scope"`             // separated by spaces
}

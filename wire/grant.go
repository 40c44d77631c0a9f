package wire

// HeaderActFor is the header of a request that names the user, by name or id, for whom the calling
// key's user acts.
const HeaderActFor = "Keysake-Act-For"

// A UserGrant lets another user, such as that of a platform's backend, act for the caller.
type UserGrant struct {
	ID         string    `json:"id"`       // UUID
	UserID     string    `json:"user_id"`  // who may act
	Username   string    `json:"username"` // of that user, when the grant was made
	Scopes     []string  `json:"scopes"`
	SecretIDs  *[]string `json:"secret_ids"` // null for all, those to come as well
	Active     bool      `json:"active"`     // neither it, a key above it nor that user has ended
	OpenLeases int       `json:"open_leases"`
	CreatedAt  Time      `json:"created_at"`
	LastUsedAt *Time     `json:"last_used_at"` // null before the first use; a minute late at most
	ExpiresAt  *Time     `json:"expires_at"`   // null for a grant that does not expire
}

// UserGrantList is the answer to GET /user/grants, newest first.
type UserGrantList struct {
	Grants []UserGrant `json:"grants"`
	Total  int         `json:"total"`
}

// CreateUserGrant is the body of POST /user/grants.
type CreateUserGrant struct {
	User      string     `json:"user" required:"true"` // who may act, by name or id
	Scopes    *[]string  `json:"scopes"`               // null for secrets:read and leases:write
	SecretIDs *[]string  `json:"secret_ids"`           // null for all, those to come as well
	ExpiresAt *Timestamp `json:"expires_at"`           // null for when the caller's key expires
}

// An ActingUser is who acts for another, and by which grant.
type ActingUser struct {
	ID       string `json:"id"`       // UUID
	Username string `json:"username"` // when the grant was made
	GrantID  string `json:"grant_id"` // UUID
}

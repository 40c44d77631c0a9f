package wire

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"time"
)

// An APIKey is what a person or program presents to Keysake.
type APIKey struct {
	ID            string   `json:"id"`            // UUID
	ParentID      *string  `json:"parent_id"`     // of its maker; null for another user's
	Key           string   `json:"key,omitempty"` // only in the answer that creates it
	MaskedKey     string   `json:"masked_key"`
	Active        bool     `json:"active"` // neither it nor a key above it has ended
	Name          string   `json:"name"`   // empty where none was given
	AllowedScopes []string `json:"allowed_scopes"`
	CreatedAt     Time     `json:"created_at"`
	LastUsedAt    *Time    `json:"last_used_at"` // null before the first use; a minute late at most
	ExpiresAt     *Time    `json:"expires_at"`   // null for a key that does not expire
}

// APIKeyList is the answer to GET /user/api-keys, newest first.
type APIKeyList struct {
	APIKeys []APIKey `json:"api_keys"`
	Total   int      `json:"total"`
}

// CreateAPIKey is the body of POST /user/api-keys and of POST /admin/users/{id}/api-keys.
type CreateAPIKey struct {
	Name            *string `json:"name"`
	AllowSelfRevoke *bool   `json:"allow_self_revoke"`
	// AllowedScopes: null means every scope that the maker's key has, except admin, act:user and
	// keys:write, which must be asked for by name.
	AllowedScopes *[]string `json:"allowed_scopes"`
	// ExpiresAt: null means when the maker's key expires.
	ExpiresAt *Timestamp `json:"expires_at"`
	// OrgID and WorkspaceID change nothing: clients of the public API send them.
	OrgID       *string `json:"org_id,omitempty"`
	WorkspaceID *string `json:"workspace_id,omitempty"`
}

// A Timestamp is a moment in a request: RFC 3339 with any offset.
type Timestamp struct{ time.Time }

// ErrNotTimestamp says that a JSON document had something other than an RFC 3339 time in the place
// of one.
var ErrNotTimestamp = errors.New("wire: a time must be a JSON string in the form of RFC 3339")

// timestampPattern keeps out what [time.Parse] takes besides: an hour of one digit, a comma, an
// offset of a day.
var timestampPattern = regexp.MustCompile(
	`^.{10}T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$`,
)

// UnmarshalJSON takes the time from a JSON string; anything else is [ErrNotTimestamp], which does
// not quote its input.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	var s *string
	if err := json.Unmarshal(b, &s); err != nil || s == nil {
		return ErrNotTimestamp
	}
	text := strings.ToUpper(*s) // RFC 3339, section 5.6: t and z may be small
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || !timestampPattern.MatchString(text) || at.UTC().Year() > 9999 {
		return ErrNotTimestamp
	}
	t.Time = at
	return nil
}

// SignInLink is the answer to POST /user/sign-in-links and /admin/users/{id}/sign-in-links.
type SignInLink struct {
	ID string `json:"id"`
	// Path leads to the pages of the server, and signs in once.
	Path      string `json:"path"`
	ExpiresAt Time   `json:"expires_at"`
}

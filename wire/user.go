package wire

// A User is an account, and the owner of a library of secrets.
type User struct {
	ID              string `json:"id"`            // UUID
	EmailAddress    string `json:"email_address"` // empty where none is known
	Username        string `json:"username"`
	FullName        string `json:"full_name"`         // empty where none is known
	IsPlatformAdmin bool   `json:"is_platform_admin"` // owns a live API key with the scope admin
	Limits          Limits `json:"limits"`
	Disabled        bool   `json:"disabled,omitzero"` // no API key of the user works
	// DeleteAt is when the user is to be deleted; nil for never.
	DeleteAt *Time `json:"delete_at,omitzero"`
	// Repaired: what is stored was repaired, and the user has not confirmed it.
	Repaired bool `json:"repaired,omitzero"`
}

// Limits are a user's quotas.
type Limits struct {
	Secrets Quota `json:"secrets"`
}

// A Quota says how many there are and how many there may be.
type Quota struct {
	Used int `json:"used"`
	Max  int `json:"max"`
}

// Preferences is the answer to GET /user/preferences: there are none.
type Preferences struct{}

// An Organization is what the public API groups users by. Each user has one, alone.
type Organization struct {
	ID                   string  `json:"id"`   // the user's
	Name                 string  `json:"name"` // the user's
	Key                  string  `json:"key"`
	Description          *string `json:"description"` // null
	IsActive             bool    `json:"is_active"`
	AllowExternalInvites bool    `json:"allow_external_invites"` // false
	MaxMembers           int     `json:"max_members"`            // 1
	CreatedAt            Time    `json:"created_at"`
	UpdatedAt            Time    `json:"updated_at"`
}

// UserList is the answer to GET /admin/users, ordered by user name.
type UserList struct {
	Users []User `json:"users"`
	Total int    `json:"total"`
	// Broken are the ids of users who are not shown, because what is stored of them was changed.
	Broken []string `json:"broken,omitempty"`
}

// CreateUser is the body of POST /admin/users.
type CreateUser struct {
	Username     string  `json:"username" required:"true"`
	EmailAddress *string `json:"email_address"`
	// Grant: the caller may act for the user, until the user withdraws that.
	Grant *bool `json:"grant"`
}

// An Identity is who somebody is at a provider of sign-ins. It is the body of PUT
// /admin/users/{id}/identity, and the answer to it.
type Identity struct {
	Issuer  string `json:"issuer" required:"true"`
	Subject string `json:"subject" required:"true"`
}

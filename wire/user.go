package wire

import (
	"regexp"
	"strings"
)

// A User is an account, and the owner of a library of secrets.
type User struct {
	ID              string `json:"id"`            // UUID
	EmailAddress    string `json:"email_address"` // empty where none is known
	Username        string `json:"username"`
	FullName        string `json:"full_name"`         // empty where none is known
	IsPlatformAdmin bool   `json:"is_platform_admin"` // owns a live API key with the scope admin
	Limits          Limits `json:"limits"`
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

// UserList is the answer to GET /admin/users, ordered by user name.
type UserList struct {
	Users []User `json:"users"`
	Total int    `json:"total"`
}

// CreateUser is the body of POST /admin/users.
type CreateUser struct {
	Username     string  `json:"username" required:"true"`
	EmailAddress *string `json:"email_address"`
}

var (
	// idPattern is a UUID, with or without its hyphens.
	idPattern       = regexp.MustCompile(`^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$`)
	usernamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	// emailPattern keeps out what is surely no address. Whether mail arrives there, only mail can
	// tell.
	emailPattern = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

// Validate tells which fields break a rule.
func (in CreateUser) Validate() []FieldError {
	var bad []FieldError
	switch {
	case in.Username == "":
		bad = append(bad, bodyField("username", TypeTooShort, "Username must not be empty"))
	case len(in.Username) > MaxUsername:
		bad = append(
			bad,
			bodyField(
				"username",
				TypeTooLong,
				"Username must have at most "+itoa(MaxUsername)+" characters",
			),
		)
	case !usernamePattern.MatchString(in.Username):
		bad = append(bad, bodyField(
			"username",
			TypePattern,
			"Username must have lower-case letters, digits, dots, underscores and hyphens only, and begin with a letter or digit",
		))
	case idPattern.MatchString(in.Username):
		bad = append(
			bad,
			bodyField(
				"username",
				TypeValue,
				"Username must not have the form of an id: it could be taken for another user's",
			),
		)
	}
	if in.EmailAddress == nil || *in.EmailAddress == "" {
		return bad
	}
	switch email := *in.EmailAddress; {
	case len(email) > MaxEmailLength:
		bad = append(
			bad,
			bodyField(
				"email_address",
				TypeTooLong,
				"Email address must have at most "+itoa(MaxEmailLength)+" bytes",
			),
		)
	case !emailPattern.MatchString(email) || strings.ContainsFunc(email, isControl):
		bad = append(
			bad,
			bodyField(
				"email_address",
				TypePattern,
				"Email address must look like name@example.org",
			),
		)
	}
	return bad
}

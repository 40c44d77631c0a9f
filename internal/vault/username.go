package vault

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// A Username names a user. The zero Username is refused wherever a user's name is needed.
type Username struct{ text string }

// NewUsername returns the user name of that text. Invalid: it has other characters than lower-case
// letters, digits, dots, underscores and hyphens, begins with a dot, underscore or hyphen, is too
// long, or has the form of an id.
func NewUsername(text string) (Username, error) {
	if err := checkUsername(text); err != nil {
		return Username{}, err
	}
	return Username{text}, nil
}

func (u Username) String() string { return u.text }

var (
	usernamePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)
	// idPattern is a UUID, with or without its hyphens.
	idPattern = regexp.MustCompile(`^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$`)
	// emailPattern refuses what is surely no address. Whether mail arrives there, only mail can
	// tell.
	emailPattern = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
)

func checkUsername(text string) error {
	broken := func(r Rule, msg string) error { return invalid(Field{"username", r, msg}) }
	switch {
	case text == "":
		return broken(TooShort, "Username must not be empty")
	case len(text) > maxUsername:
		return broken(TooLong, fmt.Sprintf("Username must have at most %d characters", maxUsername))
	case !usernamePattern.MatchString(text):
		return broken(Pattern, "Username must have lower-case letters, digits, dots, underscores "+
			"and hyphens only, and begin with a letter or digit")
	case idPattern.MatchString(text):
		return broken(GoodValue, "Username must not have the form of an id: "+
			"it could be taken for another user's")
	}
	return nil
}

// A UserRef names a user who may not exist, by name or id: no name has the form of an id.
type UserRef struct{ text string }

// NewUserRef returns the reference of that text. Invalid: it can be neither a name nor an id.
func NewUserRef(text string) (UserRef, error) {
	if _, err := uuid.Parse(text); err == nil && len(text) == 36 {
		return UserRef{text}, nil
	}
	if checkUsername(text) != nil {
		return UserRef{}, invalid(Field{"user", Pattern, "Must be the name or the id of a user"})
	}
	return UserRef{text}, nil
}

// An Email is a user's email address. The zero Email stands for an unknown one.
type Email struct{ text string }

// NewEmail returns the address of that text, the zero Email for an empty one. Invalid: it looks
// like no address, or is too long.
func NewEmail(text string) (Email, error) {
	broken := func(r Rule, msg string) error { return invalid(Field{"email_address", r, msg}) }
	switch {
	case text == "":
		return Email{}, nil
	case len(text) > maxEmail:
		return Email{}, broken(TooLong,
			fmt.Sprintf("Email address must have at most %d bytes", maxEmail))
	case !emailPattern.MatchString(text) || strings.ContainsFunc(text, isControl):
		return Email{}, broken(Pattern, "Email address must look like name@example.org")
	}
	return Email{text}, nil
}

func (e Email) String() string { return e.text }

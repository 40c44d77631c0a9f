package vault

import (
	"fmt"
	"time"
)

// Scopes are those that a new API key is to have. The zero Scopes stand for all that the caller's
// own key has, except admin.
type Scopes struct{ names []string }

// NewScopes returns the scopes of these names; nil makes the zero Scopes. Invalid: there are too
// many. Whether each exists, and whether the caller may give it, is for the use case to say.
func NewScopes(names []string) (Scopes, error) {
	if len(names) > maxScopes {
		return Scopes{}, invalid(
			Field{"allowed_scopes", TooMany, fmt.Sprintf("At most %d scopes", maxScopes)})
	}
	return Scopes{names}, nil
}

// An Expiry is when a new API key ends. The zero Expiry stands for never.
type Expiry struct{ at time.Time }

// NewExpiry returns the expiry at that time. Invalid: it was past before there were clocks to say
// so, such as Go's zero time, which must not pass for never.
func NewExpiry(at time.Time) (Expiry, error) {
	if at.Unix() <= 0 {
		return Expiry{}, past()
	}
	return Expiry{at.UTC().Truncate(time.Microsecond)}, nil
}

func past() error {
	return invalid(Field{"expires_at", GoodValue, "Expiry must be in the future"})
}

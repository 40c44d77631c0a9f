package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/keysake/keysake/wire"
)

// A newAPIKey is what "api-keys create" is told.
type newAPIKey struct {
	name, user           string
	scopes               []string
	expiresIn, expiresAt string
	selfRevoke           bool
}

// body returns the request. What was not said is left to the server.
func (in *newAPIKey) body(now time.Time) (wire.CreateAPIKey, error) {
	var body wire.CreateAPIKey
	if in.name != "" {
		body.Name = &in.name
	}
	if in.scopes != nil {
		body.AllowedScopes = &in.scopes
	}
	if in.selfRevoke {
		body.AllowSelfRevoke = &in.selfRevoke
	}
	switch {
	case in.expiresIn != "":
		d, ok := parseLifetime(in.expiresIn)
		if !ok {
			return body, usagef("--expires-in must be a time to live, such as 12h or 90d")
		}
		body.ExpiresAt = &wire.Timestamp{Time: now.Add(d).UTC().Truncate(time.Second)}
	case in.expiresAt != "":
		at, ok := parseMoment(in.expiresAt)
		if !ok {
			return body, usagef(
				"--expires-at must be a date or a time, such as 2027-01-01 or 2027-01-01T08:00:00Z",
			)
		}
		body.ExpiresAt = &wire.Timestamp{Time: at}
	}
	return body, nil
}

// parseLifetime reads a duration, also in whole days, as people think of the life of a key.
func parseLifetime(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16) // 65,535 days are far from an overflow
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}

// parseMoment reads an RFC 3339 time, or a date for its first moment in UTC.
func parseMoment(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

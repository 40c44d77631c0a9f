package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/wire"
)

// A newAPIKey holds the arguments of "api-keys create".
type newAPIKey struct {
	name, user           string
	scopes               []string
	expiresIn, expiresAt string
	selfRevoke           bool
}

func newAPIKeysCreate(a *app) *cobra.Command {
	in := new(newAPIKey)
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create an API key, and print it once",
		Long: `Create an API key, and print it. It cannot be shown again. Only the key goes to
standard output, so that you can redirect it to where it is needed.

Without --scope, the key gets all scopes of the key that creates it, except admin,
act:user and keys:write. It ends with the key that creates it, at the latest. Needs the
scope keys:write, or admin to create a key for another --user.`,
		Example: `  keysake api-keys create --name ci --scope secrets:read --expires-in 90d
  keysake api-keys create --user mia --expires-at 2027-01-01`,
		Args: noArgs,
	}
	f := cmd.Flags()
	f.StringVar(&in.name, "name", "", "the `NAME` that lists show")
	f.StringSliceVar(&in.scopes, "scope", nil, "a `SCOPE` of the key; repeatable")
	f.StringVar(&in.expiresIn, "expires-in", "", "expire after this `TIME`, such as 12h or 90d")
	f.StringVar(&in.expiresAt, "expires-at", "",
		"expire at this `TIME`, such as 2027-01-01 or 2027-01-01T08:00:00Z")
	f.BoolVar(&in.selfRevoke, "allow-self-revoke", false, "allow the key to revoke itself")
	f.StringVar(&in.user, "user", "", "create it for the user `NAME|ID`")
	cmd.MarkFlagsMutuallyExclusive("expires-in", "expires-at")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		made, err := a.createAPIKey(cmd.Context(), in)
		if err != nil {
			return err
		}
		if *asJSON {
			err = a.printJSON(made)
		} else {
			scopes := strings.Join(made.AllowedScopes, ", ")
			if in.expiresIn == "" && in.expiresAt == "" && made.ExpiresAt != nil {
				a.infof("It expires with the key that creates it, at %s.",
					formatTime(made.ExpiresAt))
			}
			a.infof("Created %s with %s. The key is shown only once:", made.ID, scopes)
			err = a.print(escape(made.Key) + "\n")
		}
		if err != nil {
			return fmt.Errorf("the key was created, but could not be printed: revoke %s: %w",
				made.ID, err)
		}
		return nil
	}
	return cmd
}

func (a *app) createAPIKey(ctx context.Context, in *newAPIKey) (wire.APIKey, error) {
	body, err := in.body(a.now())
	if err != nil {
		return wire.APIKey{}, err
	}
	c, err := a.connect()
	if err != nil {
		return wire.APIKey{}, err
	}
	if in.user == "" {
		return c.CreateAPIKey(ctx, body)
	}
	u, err := findUser(ctx, c, in.user)
	if err != nil {
		return wire.APIKey{}, err
	}
	return c.CreateAPIKeyFor(ctx, u.ID, body)
}

// body returns the request. The server chooses what was not given.
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
	var err error
	body.ExpiresAt, err = expiryOf(in.expiresIn, in.expiresAt, now)
	return body, err
}

// expiryOf returns the time of --expires-in or of --expires-at; nil if neither is given.
func expiryOf(in, at string, now time.Time) (*wire.Timestamp, error) {
	switch {
	case in != "":
		d, ok := parseLifetime(in)
		if !ok {
			return nil, usagef("--expires-in must be a duration such as 12h or 90d")
		}
		return &wire.Timestamp{Time: now.Add(d).UTC().Truncate(time.Second)}, nil
	case at != "":
		moment, ok := parseTime(at)
		if !ok {
			return nil, usagef("--expires-at must be a date or a time " +
				"such as 2027-01-01 or 2027-01-01T08:00:00Z")
		}
		return &wire.Timestamp{Time: moment}, nil
	}
	return nil, nil
}

// parseLifetime reads a duration. It adds whole days, such as 90d, to Go's units.
func parseLifetime(text string) (time.Duration, bool) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16) // 65,535 days cannot overflow
		return time.Duration(n) * 24 * time.Hour, err == nil && n > 0
	}
	d, err := time.ParseDuration(text)
	return d, err == nil && d > 0
}

// formatLifetime writes what parseLifetime reads.
func formatLifetime(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= day && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return d.String()
}

// parseTime reads an RFC 3339 time, or a date as its first moment in UTC.
func parseTime(text string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

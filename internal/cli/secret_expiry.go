package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

// never is how to say that a secret does not expire.
const never = "never"

const expiresHelp = "such as 2027-01-31, 90d or never"

func newSecretsExpiry(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "expiry NAME|ID WHEN",
		Short: "Say when a secret expires",
		Long: `Say when a secret expires: a date, a time, after so long, or never. Some time
before, lists and "keysake status" show it. The value stays, and works as before:
it is the provider who ends a key. A new value keeps the date, until you set
another. Needs the scope secrets:write, and secrets:read to find a NAME.`,
		Example: `  keysake secrets expiry OPENAI_API_KEY 2027-01-31
  keysake secrets expiry GITHUB_TOKEN 90d --remind-before 30d
  keysake secrets expiry GITHUB_TOKEN never`,
		Args: cobra.ExactArgs(2),
	}
	remind := cmd.Flags().String("remind-before", "",
		"this `TIME` before, it expires soon (default 14d)")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		e := &expiryFlags{when: args[1], remind: *remind}
		if err := e.check(a.now()); err != nil {
			return err
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		id, err := secretID(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		return a.setExpiry(cmd.Context(), c, id, e)
	}
	return cmd
}

// expiryFlags say when a secret expires that a command stores.
type expiryFlags struct {
	when, remind string

	body *wire.SecretExpiry // nil for never
}

func expiryFlagsOf(cmd *cobra.Command) *expiryFlags {
	e := new(expiryFlags)
	cmd.Flags().StringVar(&e.when, "expires", "",
		"it expires at this `TIME`, "+expiresHelp)
	cmd.Flags().StringVar(&e.remind, "remind-before", "",
		"this `TIME` before, it expires soon (default 14d)")
	return e
}

// check reads the flags, before anything is stored.
func (e *expiryFlags) check(now time.Time) error {
	e.body = nil
	if e.when == "" || e.when == never {
		if e.remind != "" {
			return usagef("--remind-before needs a time at which the secret expires")
		}
		return nil
	}
	body := new(wire.SecretExpiry)
	if d, ok := parseLifetime(e.when); ok {
		body.ExpiresAt.Time = now.Add(d).UTC().Truncate(time.Second)
	} else if at, ok := parseTime(e.when); ok {
		body.ExpiresAt.Time = at
	} else {
		return usagef("when does it expire? Give a time %s", expiresHelp)
	}
	if e.remind != "" {
		d, ok := parseLifetime(e.remind)
		if !ok {
			return usagef("--remind-before must be a duration such as 12h or 30d")
		}
		body.RemindBefore = new(int64(d / time.Second))
	}
	e.body = body
	return nil
}

// setExpiry stores what the flags say, and says what is stored.
func (a *app) setExpiry(
	ctx context.Context, c *client.Client, id string, e *expiryFlags,
) (err error) {
	if e.body == nil {
		if err = c.ClearSecretExpiry(ctx, id); err == nil {
			a.infof("It does not expire.")
		}
		return noSuchSecret(err)
	}
	set, err := c.SetSecretExpiry(ctx, id, *e.body)
	if err == nil {
		soon := wire.At(set.ExpiresAt.Add(-time.Duration(set.RemindBefore) * time.Second))
		a.infof("It expires at %s. You are reminded from %s on.", formatTime(&set.ExpiresAt),
			formatTime(&soon))
	}
	return noSuchSecret(err)
}

// setExpiryOf is setExpiry for a secret that was just stored, if the flags say anything.
func (a *app) setExpiryOf(
	ctx context.Context, c *client.Client, s wire.Secret, e *expiryFlags,
) error {
	if e.when == "" {
		return nil
	}
	return a.setExpiry(ctx, c, s.ID, e)
}

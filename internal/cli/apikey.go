package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newAPIKeys(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "api-keys",
		Short: "The API keys by which you and your programs call Keysake",
		Long: `The API keys by which you and your programs call Keysake. Each has scopes, which say what it may do: secrets:read,
secrets:write, leases:write, keys:write, audit:read and admin.`,
		Example: `  keysake api-keys create --name ci --scope secrets:read --expires-in 90d
  keysake api-keys list`,
	}
	group(cmd)
	cmd.AddCommand(newAPIKeysList(a), newAPIKeysCreate(a), newAPIKeysRevoke(a))
	return cmd
}

func newAPIKeysList(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List your API keys",
		Long:    "Lists your API keys, newest first, each by its mask. It needs the scope keys:write.",
		Example: "  keysake api-keys list",
		Args:    noArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		list, err := c.ListAPIKeys(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(list)
		}
		rows := table{{"NAME", "KEY", "ACTIVE", "SCOPES", "LAST USED", "EXPIRES", "ID"}}
		for _, k := range list.APIKeys {
			scopes := strings.Join(k.AllowedScopes, ",")
			rows = append(
				rows,
				[]string{
					or(k.Name),
					k.MaskedKey,
					yesNo(k.Active),
					scopes,
					moment(k.LastUsedAt),
					moment(k.ExpiresAt),
					k.ID,
				},
			)
		}
		return a.printTable(rows)
	}
	return cmd
}

func newAPIKeysCreate(a *app) *cobra.Command {
	in := new(newAPIKey)
	cmd := &cobra.Command{
		Use:   "create",
		Short: "Create an API key, and print it once",
		Long: `Creates an API key. The key is printed this once, alone on standard output, so that it can go straight to where it is
needed; everything else is printed on standard error.

Without --scope it has every scope of the key that makes it, except admin. It needs the scope keys:write, and admin to make a key
for another user by --user.`,
		Example: `  keysake api-keys create --name ci --scope secrets:read --expires-in 90d
  keysake api-keys create --user mia --expires-at 2027-01-01`,
		Args: noArgs,
	}
	cmd.Flags().StringVar(&in.name, "name", "", "the `NAME` of the key in lists")
	cmd.Flags().StringSliceVar(&in.scopes, "scope", nil, "a `SCOPE` that it has; repeatable")
	cmd.Flags().
		StringVar(
			&in.expiresIn, "expires-in", "",
			"the `TIME` after which it stops to work, such as 12h or 90d",
		)
	cmd.Flags().
		StringVar(
			&in.expiresAt, "expires-at", "",
			"the `TIME` at which it stops to work, such as 2027-01-01 or 2027-01-01T08:00:00Z",
		)
	cmd.Flags().
		BoolVar(
			&in.selfRevoke, "allow-self-revoke", false, "allow whoever has the key to revoke it",
		)
	cmd.Flags().StringVar(&in.user, "user", "", "make it for the user `NAME|ID`")
	cmd.MarkFlagsMutuallyExclusive("expires-in", "expires-at")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		body, err := in.body(a.now())
		if err != nil {
			return err
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		made, err := createAPIKey(cmd.Context(), c, in.user, body)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(made)
		}
		a.note(
			"Created %s with %s. The key is shown this once:",
			made.ID,
			strings.Join(made.AllowedScopes, ", "),
		)
		if err := a.print(clean(made.Key) + "\n"); err != nil {
			return fmt.Errorf(
				"the key was made, but could not be printed: revoke %s: %w",
				made.ID,
				err,
			)
		}
		return nil
	}
	return cmd
}

func createAPIKey(
	ctx context.Context,
	c *client.Client,
	user string,
	body wire.CreateAPIKey,
) (wire.APIKey, error) {
	if user == "" {
		return c.CreateAPIKey(ctx, body)
	}
	u, err := findUser(ctx, c, user)
	if err != nil {
		return wire.APIKey{}, err
	}
	return c.CreateAPIKeyFor(ctx, u.ID, body)
}

func newAPIKeysRevoke(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "revoke {ID | self}",
		Short: "End an API key at once",
		Long: `Ends an API key at once; "keysake api-keys list" shows the ids. It needs the scope keys:write. With self it ends the key that
you are logged in with, which must have been made with --allow-self-revoke.`,
		Example: "  keysake api-keys revoke 0198c8a6-6f43-7d0e-9d2c-5b1f0a3c7e11",
		Args:    one("the key's ID"),
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		if args[0] == "self" {
			err = c.RevokeSelf(cmd.Context())
		} else {
			err = c.RevokeAPIKey(cmd.Context(), args[0])
		}
		if err != nil {
			return err
		}
		a.note("Revoked.")
		return nil
	}
	return cmd
}

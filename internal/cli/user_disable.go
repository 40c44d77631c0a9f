package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/rootkey"
)

const dataHelp = `With --data, the operator does it on a data folder, without an API key.
` + localHelp

func newUsersDisable(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "disable NAME|ID",
		Short: "Stop all API keys of a user at once",
		Long: `Stop every API key of a user at once, and every key that was created with one of
them, also those of other users. Nothing is deleted: "keysake users enable" lets
them work again. Use this first when you do not know yet what has happened. It
works on a full disk, too, and for a user who is listed as "tampered with", by the
id. Needs the scope admin; nobody disables themselves.

` + dataHelp,
		Example: `  keysake users disable mia
  keysake users disable mia --data /var/lib/keysake/data`,
		Args: exactlyOne("the user's NAME or ID"),
	}
	return a.userSwitch(
		cmd, (*client.Client).DisableUser, maintenance.DisableUser, "Disabled.")
}

func newUsersEnable(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "enable NAME|ID",
		Short: "Let the API keys of a disabled user work again",
		Long: `Let the API keys of a disabled user work again, but for those that were revoked or
have expired. Revoke the keys that have leaked first, or create new ones
afterwards. Needs the scope admin.

` + dataHelp,
		Example: `  keysake users enable mia
  keysake users enable mia --data /var/lib/keysake/data`,
		Args: exactlyOne("the user's NAME or ID"),
	}
	return a.userSwitch(cmd, (*client.Client).EnableUser, maintenance.EnableUser, "Enabled.")
}

// userSwitch makes cmd change the user whom its argument names: through a server, or with --data
// on a data folder.
func (a *app) userSwitch(
	cmd *cobra.Command,
	remote func(c *client.Client, ctx context.Context, id string) error,
	local func(ctx context.Context, cfg config.Config, ask rootkey.Ask, nameOrID string) error,
	done string,
) *cobra.Command {
	settings := localSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		change := func(ctx context.Context, c *client.Client) error {
			u, err := findUser(ctx, c, args[0])
			if err != nil {
				return err
			}
			return remote(c, ctx, u.ID)
		}
		err := a.eitherWay(cmd, settings, change, func(cfg config.Config) error {
			return local(cmd.Context(), cfg, a.passphrase, args[0])
		})
		if err == nil {
			a.infof("%s", done)
		}
		return err
	}
	return cmd
}

// eitherWay does what a command is for on a data folder if --data is given, which its variable does
// not count for, and through a server otherwise.
func (a *app) eitherWay(
	cmd *cobra.Command, settings *config.Settings,
	remote func(context.Context, *client.Client) error, local func(config.Config) error,
) error {
	if cmd.Flags().Changed("data") {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		return local(cfg)
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	return remote(cmd.Context(), c)
}

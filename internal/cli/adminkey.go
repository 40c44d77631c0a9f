package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

const adminKeyLong = `Create a new API key with every scope, for an administrator whose key
is lost or has leaked. Only the key goes to standard output. It cannot be shown
again. The audit log of the user records that the operator created it.

The user's other keys go on working. When you are logged in with the new key,
revoke the lost one with "keysake api-keys revoke", which ends every key that was
created with it; with --keep-children, only itself.

This works on a data folder that no server runs on: stop it first. Servers on
PostgreSQL go on. It needs the root key.`

func newAdminKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "admin-key",
		Short: "Create a new API key for an administrator (for operators)",
		Long:  adminKeyLong,
		Example: `  keysake admin-key --data /var/lib/keysake/data > admin-api-key
  keysake admin-key --data /var/lib/keysake/data --username mia > mia-api-key`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	username := cmd.Flags().String("username", "",
		"the administrator's `NAME`; needed if there are several")
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		if *username != "" {
			if err := checkUsername(*username); err != nil {
				return err
			}
		}
		name, key, err := instance.NewAdminKey(ctx, cfg, a.passphrase, *username)
		if err != nil {
			return err
		}
		a.infof("The new API key of %s, shown only once:", name)
		if err := a.print(string(key.Reveal()) + "\n"); err != nil {
			return fmt.Errorf("the API key could not be printed: run the command again, and "+
				"revoke this one: %w", err)
		}
		return nil
	})
	return cmd
}

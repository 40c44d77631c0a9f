package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

const lockdownLong = `Lock a data folder down: from then on the server answers nothing but what
admins read, revoke, disable and delete. Every other request, also of an admin, is
answered with 503, and no value is used. The operator's commands go on working.
The audit log of the instance records it.

It is stored signed, so that who can write the database does not lift it, and no
API key can: only this command with --lift. "keysake serve --lockdown" is a
lockdown that ends with a restart without that flag.

` + localHelp + ` It takes effect within a second.`

func newLockdown(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lockdown",
		Short: "Stop all but what admins read, revoke and delete (for operators)",
		Long:  lockdownLong,
		Example: `  keysake lockdown --data /var/lib/keysake/data
  keysake lockdown --data /var/lib/keysake/data --lift`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	lift := cmd.Flags().Bool("lift", false, "end the lockdown")
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		err := maintenance.SetLockdown(ctx, cfg, a.passphrase, !*lift)
		switch {
		case err != nil && *lift:
			return err
		case err != nil:
			return fmt.Errorf(
				"%w (a restart of the servers with --lockdown needs no database)", err)
		case *lift:
			a.infof("Lifted.")
		default:
			a.infof("Locked down.")
		}
		return nil
	})
	return cmd
}

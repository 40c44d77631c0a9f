package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

func newFloors(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "floors",
		Short: "Manage what servers remember of a newer database (for operators)",
		Long: `Manage the floors: how new the data of each user was that a server has seen. They
are kept in a file outside of the data folder. Data that is older was put back: it
is refused, and "keysake doctor" names it.

` + localHelp,
		Example: "  keysake floors reset --data /var/lib/keysake/data",
	}
	group(cmd)
	cmd.AddCommand(newFloorsReset(a))
	return cmd
}

const floorsResetLong = `Accept a database that is older than one that a server has seen: after the
recovery of a disk that lost the newest data, or when you put an older copy back
yourself. What was changed since then is lost: keys that were revoked work again,
and values that were replaced are current again.

Do not run this before you know why the database is older. Somebody who can write
the database may have put it back. The audit log records it. It needs the root
key. A running server takes it over within seconds.

` + localHelp

func newFloorsReset(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "reset",
		Short:   "Accept a database that is older than one seen before",
		Long:    floorsResetLong,
		Example: "  keysake floors reset --data /var/lib/keysake/data",
		Args:    noArgs,
	}
	settings := localSettings(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		older, err := maintenance.ResetFloors(ctx, cfg, a.passphrase)
		if err != nil {
			return err
		}
		for _, whose := range older {
			a.infof("Accepted older data of %s.", whose)
		}
		a.infof("The database is accepted as it is.")
		return nil
	})
	return cmd
}

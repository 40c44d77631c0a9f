package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

const initLong = `Create a database, its root key and the first user, who is an administrator. Only
the administrator's API key goes to standard output. It cannot be shown again. A
folder that has a database is refused, and a root key is never overwritten.

The root key opens everything; without it, the data is lost. By default the root
key is stored next to the data folder, not in it, so that copying one does not
copy the other. Keep a copy of it, but not where you keep backups of the data.

The keys file, next to the data folder too, names the root key and the key that
signs. It holds no key, but says which ones are believed: keep a copy of it with
the root key's.`

func newInit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Create the database, the root key and the first administrator",
		Long:  initLong,
		Example: `  keysake init --data /var/lib/keysake/data
  keysake init --data /var/lib/keysake/data \
    --root-key file:/etc/keysake/root.key --username mia`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	username := cmd.Flags().String("username", "admin", "the administrator's `NAME`")
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		if err := checkUsername(*username); err != nil {
			return err
		}
		first, err := instance.Init(ctx, cfg, a.passphrase, *username)
		if err != nil {
			return err
		}
		a.infof("Created the database %s and its root key %s. "+
			"Keep a copy of that key and of %s elsewhere.", place(cfg), first.RootKey, first.Keys)
		a.infof("The API key of %s, shown only once:", first.Username)
		if err := a.print(string(first.Key.Reveal()) + "\n"); err != nil {
			return fmt.Errorf("the API key could not be printed and is lost: "+
				"delete the database %s and start again: %w", place(cfg), err)
		}
		return nil
	})
	return cmd
}

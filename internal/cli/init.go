package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/server"
	"github.com/keysake/keysake/wire"
)

const initLong = `Creates a database, its root key and the first user, an administrator, whose API key is printed this once, alone on standard
output. It refuses a folder that has a database already, and never writes over a root key.

The root key opens everything. Unless --root-key says otherwise it is beside the data folder and not in it, so that a copy of the
one is not a copy of both. Keep a copy of it in another place than those of the data: without it the data is lost.`

func newInit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Create the database, the root key and the first administrator",
		Long:  initLong,
		Example: `  keysake init --data /var/lib/keysake/data
  keysake init --data /var/lib/keysake/data --root-key file:/etc/keysake/root.key --username mia`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	username := cmd.Flags().String("username", "admin", "the administrator's `NAME`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		if bad := (wire.CreateUser{Username: *username}).Validate(); len(bad) > 0 {
			return usagef("--username: %s", bad[0].Msg)
		}
		first, err := server.Init(cmd.Context(), cfg, a.passphrase, *username)
		if err != nil {
			return err
		}
		a.note(
			"Created the database in %s, and its root key %s: keep a copy of that key elsewhere.",
			first.Data,
			first.RootKey,
		)
		a.note("The API key of %s, shown this once:", first.Username)
		if err := a.print(string(first.Key.Reveal()) + "\n"); err != nil {
			return fmt.Errorf(
				"the API key could not be printed and is lost: delete %s and begin again: %w",
				first.Data,
				err,
			)
		}
		return nil
	}
	return cmd
}

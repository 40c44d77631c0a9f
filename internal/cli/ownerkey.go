package cli

import (
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/server"
)

func newOwnerKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "owner-key",
		Short:   "For operators: the keys that seal each user's values",
		Long:    "Each user's values and masks are sealed with the user's own owner key, which the root key wraps. " + localHelp,
		Example: "  keysake owner-key rotate --data /var/lib/keysake/data --user mia",
	}
	group(cmd)
	cmd.AddCommand(newOwnerKeyRotate(a))
	return cmd
}

const ownerKeyRotateLong = `Gives a user, or with --all every user, a new owner key, and seals all values with it, those of old versions too; the old owner key is destroyed.
A user's turn is one transaction. Servers serve meanwhile. It may be stopped at any point, even killed: the same command goes on where it was, and
with --all nobody's turn comes twice. Only one rotation runs at a time.

It is for the case that an owner key may be known to somebody. Backups that were made before still have the old one. `

func newOwnerKeyRotate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Seal a user's values with a new owner key",
		Long:  ownerKeyRotateLong + localHelp,
		Example: `  keysake owner-key rotate --data /var/lib/keysake/data --user mia
  keysake owner-key rotate --data /var/lib/keysake/data --all`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	user := cmd.Flags().String("user", "", "the user's `NAME|ID`")
	all := cmd.Flags().Bool("all", false, "every user")
	asJSON := cmd.Flags().Bool("json", false, "print a line of JSON for each step")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		if (*user == "") == !*all {
			return usagef("name one user with --user, or say --all")
		}
		shown := a.newProgress("users", *asJSON)
		n, err := server.RotateOwnerKeys(cmd.Context(), cfg, a.passphrase, *user, shown.tell)
		shown.end()
		if err != nil {
			return goOn(err, shown)
		}
		a.note("Rotated: %d users have a new owner key.", n)
		return nil
	}
	return cmd
}

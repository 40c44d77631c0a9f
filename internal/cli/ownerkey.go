package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

func newOwnerKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "owner-key",
		Short: "Manage the owner keys (for operators)",
		Long: `Manage the owner keys. Each user has one, which seals the user's values and masks.
The root key wraps it.

` + localHelp,
		Example: "  keysake owner-key rotate --data /var/lib/keysake/data --user mia",
	}
	group(cmd)
	cmd.AddCommand(newOwnerKeyRotate(a))
	return cmd
}

const ownerKeyRotateLong = `Give one user, or every user with --all, a new owner key. It seals all
values of the user, old versions included, and the old key is destroyed. Do this
if an owner key may have leaked. Backups that were made before still hold the old
key.

Users can work in the meantime. Only one rotation runs at a time. If
interrupted, run it again: it begins anew, because nothing in the database is
believed about which keys are new. A user whose rows were tampered with is named
at the end, and keeps no other user from a new key.

` + localHelp

func newOwnerKeyRotate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Seal a user's values with a new owner key",
		Long:  ownerKeyRotateLong,
		Example: `  keysake owner-key rotate --data /var/lib/keysake/data --user mia
  keysake owner-key rotate --data /var/lib/keysake/data --all`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	user := cmd.Flags().String("user", "", "the user's `NAME|ID`")
	all := cmd.Flags().Bool("all", false, "rotate the key of every user")
	asJSON := progressFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		if (*user == "") == !*all {
			return usagef("give either --user or --all")
		}
		shown := a.newProgress("users", *asJSON)
		n, err := maintenance.RotateOwnerKeys(ctx, cfg, a.passphrase, *user, shown.update)
		shown.finish()
		if err != nil {
			return resumeHint(err, shown)
		}
		a.infof("Rotated the owner keys of %s.", count(n, "user", "users"))
		return nil
	})
	return cmd
}

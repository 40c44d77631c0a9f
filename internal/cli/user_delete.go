package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

const usersDeleteLong = `Delete a user, and destroy every value that the user owns. The
user is disabled at once: none of the user's API keys works, nor any that was
created with one of them, also those of other users. The user is deleted when the
server's --delete-delay is over (24 hours unless the operator says otherwise);
until then "keysake users keep" calls it off. With --now the user is deleted at
once, and nothing brings the user back but a backup.

Backups that were made before still hold the values, and the key that opens them
with the root key, until you destroy the backups. You are asked to confirm,
unless you give --yes; without a terminal, --yes is required. It works on a full
disk, too. Needs the scope admin; nobody deletes themselves.

` + dataHelp

func newUsersDelete(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete NAME|ID",
		Short: "Delete a user and all the user's secrets",
		Long:  usersDeleteLong,
		Example: `  keysake users delete mia
  keysake users delete mia --now
  keysake users delete mia --data /var/lib/keysake/data`,
		Args: exactlyOne("the user's NAME or ID"),
	}
	settings := localSettings(cmd, "delete-delay")
	d := deletion{a: a}
	cmd.Flags().BoolVar(&d.now, "now", false, "delete at once, so that nothing can call it off")
	yes := yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		d.yes, d.user = *yes, args[0]
		if err := a.canConfirm(d.yes); err != nil {
			return err
		}
		return a.eitherWay(cmd, settings, d.remote, func(cfg config.Config) error {
			return d.local(cmd.Context(), cfg)
		})
	}
	return cmd
}

// A deletion is what a command is to delete, and how.
type deletion struct {
	a        *app
	user     string // a name or an id
	now, yes bool
}

func (d deletion) remote(ctx context.Context, c *client.Client) error {
	u, err := findUser(ctx, c, d.user)
	if err != nil {
		return err
	}
	err = d.a.confirm(ctx, d.yes, fmt.Sprintf("Delete the user %s and destroy %s for good?",
		u.Username, count(u.Limits.Secrets.Used, "secret", "secrets")))
	if err != nil {
		return err
	}
	if d.now {
		if err := c.DeleteUserNow(ctx, u.ID); err != nil {
			return err
		}
		d.a.infof("Deleted.")
		return nil
	}
	if err := c.DeleteUser(ctx, u.ID); err != nil {
		return err
	}
	list, err := c.ListUsers(ctx)
	if err != nil {
		return fmt.Errorf("the user was disabled, and is to be deleted; when is unknown: %w", err)
	}
	for _, left := range list.Users {
		if left.ID == u.ID && left.DeleteAt != nil {
			d.a.infof("Disabled, and to be deleted on %s. To call that off: keysake users keep %s",
				formatTime(left.DeleteAt), u.Username)
			return nil
		}
	}
	d.a.infof("Deleted.")
	return nil
}

func (d deletion) local(ctx context.Context, cfg config.Config) error {
	question := fmt.Sprintf("Delete the user %s and destroy their secrets for good?", d.user)
	if err := d.a.confirm(ctx, d.yes, question); err != nil {
		return err
	}
	err := maintenance.DeleteUser(ctx, cfg, d.a.passphrase, d.user, d.now)
	if err != nil {
		return err
	}
	if d.now || cfg.DeleteDelay == 0 {
		d.a.infof("Deleted.")
		return nil
	}
	d.a.infof("Disabled, and to be deleted in %s by the server. "+
		"To call that off: keysake users keep %s --data %s", cfg.DeleteDelay, d.user, cfg.Data)
	return nil
}

func newUsersKeep(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "keep NAME|ID",
		Short: "Call off the deletion of a user",
		Long: `Call off the deletion of a user while its delay runs. The user stays disabled, so
that no key works again by mistake: "keysake users enable" lets them work again.
Needs the scope admin.

` + dataHelp,
		Example: `  keysake users keep mia
  keysake users keep mia --data /var/lib/keysake/data`,
		Args: exactlyOne("the user's NAME or ID"),
	}
	return a.userSwitch(cmd, (*client.Client).KeepUser, maintenance.KeepUser,
		"Kept, and still disabled.")
}

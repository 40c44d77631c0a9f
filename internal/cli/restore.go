package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

const restoreLong = `Create a data folder from a backup. The folder must be empty or not exist;
nothing is overwritten. Before anything is written, the whole backup is read and
verified: every key in it is opened, every value, and everything that the signed
ledgers list. If interrupted, run the same command again.

The keys file, --root-key and --instance-key name the keys of the backup; several
can be named. Nothing in the backup is believed about which keys those are.

What is restored gets a new key that signs. So nothing that was signed before, or
in another copy of the same backup, counts in it. The keys file next to the data
folder then names the new one; where --instance-key names it, change the flag.

No API key of the backup works any more: among them may be keys that were revoked
after it was made, or that somebody took with the backup. A new key of an
administrator goes to standard output, and cannot be shown again. Administrators
give each user a new one with "keysake api-keys create --user". With
--keep-api-keys, everyone who holds a key of the backup is let in again, also
those whose key was revoked since; no key is printed.

A user of whom something does not verify is named, and nothing is restored until
you leave that user out with --skip-user, or use another backup.

With --user, one user of the backup is put back into the database of a data folder
that is there, whose server may be running. This is for a user who is listed as
"tampered with", or is missing. Everything of that user is verified and signed
anew, with a new owner key; the user's API keys are suspended, and tickets end.
What the database has of the user and the backup does not is named, and lost.
Old values may come back: those that were replaced or deleted after the backup was
made. The audit log keeps what follows the backup's. You are asked to confirm,
unless you give --yes. If all that the database has of the user verifies, nothing
is changed without --replace. Users who were deleted are not restored.`

// A restoredJSON is [maintenance.Restored] with the API key.
type restoredJSON struct {
	maintenance.Restored

	Username string `json:"username,omitempty"`
	APIKey   string `json:"api_key,omitempty"`
}

func newRestore(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Create a data folder from a backup",
		Long:  restoreLong,
		Example: `  keysake restore /backup/keysake-2026-05-04 --data /var/lib/keysake/data
  keysake restore /backup/keysake-2026-05-04 --data /var/lib/keysake/data \
    --root-key file:/etc/keysake/root.key --username mia
  keysake doctor --data /var/lib/keysake/data --all
  keysake restore --user mia /backup/keysake-2026-05-04 \
    --data /var/lib/keysake/data`,
		Args: exactlyOne("the FILE to read"),
	}
	settings := localSettings(cmd)
	var o maintenance.RestoreOptions
	f := cmd.Flags()
	f.StringVar(&o.Username, "username", "",
		"the `NAME` of the administrator who gets an API key; needed if there are several")
	f.BoolVar(&o.KeepAPIKeys, "keep-api-keys", false,
		"let the API keys of the backup work, also those that were revoked since or were stolen")
	f.StringArrayVar(&o.SkipUsers, "skip-user", nil,
		"leave out the user with this `NAME|ID`; repeatable")
	u := addUserRestore(a, cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, args []string) error {
		if u.asked() {
			return u.run(cmd, cfg, args[0], *asJSON)
		}
		if o.Username != "" {
			if o.KeepAPIKeys {
				return usagef("--username and --keep-api-keys cannot be combined: give one")
			}
			if err := checkUsername(o.Username); err != nil {
				return err
			}
		}
		done, err := maintenance.Restore(ctx, cfg, a.passphrase, args[0], o)
		if err != nil {
			return err
		}
		if err := a.printRestored(done, *asJSON); err != nil {
			return fmt.Errorf("the result could not be printed: create an API key with "+
				"keysake admin-key --data %s: %w", done.Data, err)
		}
		return nil
	})
	return cmd
}

// printRestored prints only the API key to standard output, or everything as JSON.
func (a *app) printRestored(done maintenance.Restored, asJSON bool) error {
	if asJSON {
		return a.printJSON(restoredJSON{done, done.Username, string(done.Key.Reveal())})
	}
	for line := range strings.Lines(backupSummary(done.BackupFile)) {
		a.infof("%s", strings.TrimSuffix(line, "\n"))
	}
	for _, refused := range done.Refused {
		a.infof("Restored, and would be refused today: %s", refused)
	}
	for _, user := range done.Skipped {
		a.infof("Left out: user %s", user)
	}
	a.infof("Restored %s to %s. The key %s signs now, which %s names. "+
		"Check it with: keysake doctor --all --data %s", count(done.Users, "user", "users"),
		done.Data, done.InstanceKey, done.KeysFile, done.Data)
	if done.Leases > 0 {
		a.infof("Ended %s: who still needs one asks again.",
			count(done.Leases, "open ticket", "open tickets"))
	}
	if done.Username == "" {
		a.infof("The API keys of the backup work, also those that were revoked since.")
		return nil
	}
	a.infof("Suspended %s: give each user a new one. The new API key of %s, shown only once:",
		count(done.Suspended, "API key", "API keys"), done.Username)
	return a.print(string(done.Key.Reveal()) + "\n")
}

package cli

import (
	"context"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

func newInstanceKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "instance-key",
		Short: "Manage the instance key, which signs (for operators)",
		Long: `Manage the instance key, which signs what the database says: which users, secrets
and API keys there are, and checkpoints of the audit log. The root key wraps it.

Which instance keys are believed is said by the keys file, or by --instance-key
in its place, and never by the database. Several can be believed while one is
rotated: the first signs, the others only verify.

` + localHelp,
		Example: `  keysake instance-key status --data /var/lib/keysake/data
  keysake instance-key rotate --data /var/lib/keysake/data`,
	}
	group(cmd)
	cmd.AddCommand(newInstanceKeyRotate(a), newInstanceKeyStatus(a))
	return cmd
}

type instanceKeyList struct {
	InstanceKeys []maintenance.InstanceKey `json:"instance_keys"`
}

func newInstanceKeyStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the instance keys and how many ledgers they signed",
		Long: `List the instance keys of a data folder: first those that the configuration
names, in its order, then others that the database has. The primary key signs; a
configured one only verifies; what another one signed is not believed. LEDGERS is
how many ledgers name the key as their signer, one of each user and one of the
instance; it is not verified here, as "keysake doctor" does. No key is opened.

` + localHelp,
		Example: `  keysake instance-key status --data /var/lib/keysake/data
  keysake instance-key status --data /var/lib/keysake/data --json`,
		Args: noArgs,
	}
	read := func(ctx context.Context, cfg config.Config) (instanceKeyList, error) {
		keys, err := maintenance.ListInstanceKeys(ctx, cfg)
		return instanceKeyList{keys}, err
	}
	return listLocal(a, cmd, "instance-key", read, instanceKeysGrid)
}

func instanceKeysGrid(list instanceKeyList) grid {
	rows := grid{{"ID", "STATE", "LEDGERS", "CREATED"}}
	for _, k := range list.InstanceKeys {
		created := "-"
		if k.CreatedAt != nil {
			created = k.CreatedAt.UTC().Format(timeLayout)
		}
		rows = append(rows, []string{
			k.ID.String(), k.State, strconv.Itoa(k.Ledgers), created,
		})
	}
	return rows
}

const instanceKeyRotateLong = `Make a new instance key, and sign with it what the old one signed.
Each user's rows are verified first: what does not verify is not signed. Do this
if the old key may have leaked, as whoever had the root key and the database has
it. Only one rotation runs at a time. If interrupted, run the same command again;
it continues where it stopped.

Where the keys file names the instance keys, this puts the new one first in it
and takes the old one out at the end; running servers notice. Where
--instance-key names them, it says at each step which flags to change; and on
PostgreSQL, when to copy the keys file to the other servers.

A user whose rows were tampered with is named, and keeps no other user from the
new key. The old one stays until that user was brought back from a backup, or is
named with --skip-user: then nothing of that user opens until then.

Backups that were made before are signed with the old key: to restore one, give
--instance-key with its id, which stays in the keys file as a comment. To verify
the audit log, the public key from before is enough.

` + localHelp

func newInstanceKeyRotate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Sign everything with a new instance key",
		Long:  instanceKeyRotateLong,
		Example: `  keysake instance-key rotate --data /var/lib/keysake/data
  keysake instance-key rotate --data /var/lib/keysake/data --json`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	skipped := cmd.Flags().StringArray("skip-user", nil,
		"the `ID` of a user who was named as tampered with, to leave out; repeatable")
	asJSON := progressFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		leftOut := make([]uuid.UUID, len(*skipped))
		for n, text := range *skipped {
			id, err := uuid.Parse(text)
			if err != nil {
				return usagef("--skip-user %s: this is not the id of a user", text)
			}
			leftOut[n] = id
		}
		shown := a.newProgress("users", *asJSON)
		done, err := maintenance.RotateInstanceKey(
			ctx, cfg, a.passphrase, leftOut, shown.update)
		shown.finish()
		if err != nil {
			return resumeHint(err, shown)
		}
		if shown.last.Total > 0 || done.Next == "" {
			a.infof("Rotated: %s is the instance key now; it signed the ledgers of %s. "+
				"Keep a copy of its id elsewhere.", done.ID, count(done.Signed, "user", "users"))
		}
		if done.Next != "" {
			a.infof("Next: %s.", done.Next)
		}
		return nil
	})
	return cmd
}

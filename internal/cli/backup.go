package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/server"
)

const backupLong = `Writes everything that a data folder has at one moment into a new file, while the server serves or without one. The file has its name only
when it is whole and on the disk; only its owner may read it.

What it holds is sealed as it is in the database, and the root key is not in it: keep copies of both, in different places. No root key is asked
for. "keysake doctor --backup FILE" opens everything in a backup, and "keysake restore FILE" makes a data folder of it.`

func newBackup(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a backup of a data folder, beside the running server",
		Long:  backupLong,
		Example: `  keysake backup /backup/keysake-$(date +%F) --data /var/lib/keysake/data
  keysake doctor --data /var/lib/keysake/data --backup /backup/keysake-2026-05-04 --all`,
		Args: one("the file to write"),
	}
	settings := config.New("data")
	settings.AddFlags(cmd.Flags())
	replace := cmd.Flags().Bool("force", false, "replace the file if it is there")
	asJSON := cmd.Flags().Bool("json", false, "print JSON: the file, its digest and its manifest")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		made, err := server.Backup(cmd.Context(), cfg, args[0], *replace)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(made)
		}
		return a.print(summary(made))
	}
	return cmd
}

// summary tells people what a backup holds.
func summary(b server.BackupFile) string {
	rows := b.Manifest.Rows
	return fmt.Sprintf(
		"%s: %d users, %d secrets, %d old versions, %d audit entries, %d bytes, of %s\nsha256 %s\n",
		clean(
			b.File,
		),
		rows.Users,
		rows.Secrets,
		rows.Versions,
		rows.AuditEntries,
		b.Bytes,
		b.Manifest.CreatedAt.Format(time.RFC3339),
		b.SHA256,
	)
}

const restoreLong = `Makes a data folder from a backup. The folder must be empty, or not be there; nothing is restored over anything. Before it writes anything it reads
all of the backup, and opens every root key that is still needed and every key of a user. The folder has a database only when that is whole:
a restore that was cut short is begun again with the same command.

The root key is looked for where the backup says that it was, unless --root-key names where it is now; the new database remembers that.`

func newRestore(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a data folder from a backup",
		Long:  restoreLong,
		Example: `  keysake restore /backup/keysake-2026-05-04 --data /var/lib/keysake/data --root-key file:/etc/keysake/root.key
  keysake doctor --data /var/lib/keysake/data --all`,
		Args: one("the backup to read"),
	}
	settings := localSettings(cmd)
	asJSON := cmd.Flags().Bool("json", false, "print JSON: the backup, its digest and its manifest")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		done, err := server.Restore(cmd.Context(), cfg, a.passphrase, args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(done)
		}
		if err := a.print(summary(done.BackupFile)); err != nil {
			return err
		}
		a.note(
			"Restored into %s. Check it with: keysake doctor --all --data %s",
			done.Data,
			done.Data,
		)
		return nil
	}
	return cmd
}

package cli

import (
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/maintenance"
)

const restoreLong = `Create a data folder from a backup. The folder must be empty or not exist;
nothing is overwritten. Before anything is written, the whole backup is read, and
every root key and owner key in it is opened. If interrupted, run the same
command again.

The root key is expected where it was when the backup was made. If it is
elsewhere now, give its URL with --root-key; the new database remembers it.`

func newRestore(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Create a data folder from a backup",
		Long:  restoreLong,
		Example: `  keysake restore /backup/keysake-2026-05-04 --data /var/lib/keysake/data
  keysake restore /backup/keysake-2026-05-04 --data /var/lib/keysake/data \
    --root-key file:/etc/keysake/root.key
  keysake doctor --data /var/lib/keysake/data --all`,
		Args: exactlyOne("the FILE to read"),
	}
	settings := localSettings(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		done, err := maintenance.Restore(cmd.Context(), cfg, a.passphrase, args[0])
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(done)
		}
		if err := a.print(backupSummary(done.BackupFile)); err != nil {
			return err
		}
		a.infof("Restored to %s. Check it with: keysake doctor --all --data %s",
			done.Data, done.Data)
		return nil
	}
	return cmd
}

package cli

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

const backupLong = `Write the content of a data folder, as of one moment, to a new file. The server
may keep running. The file gets its name when it is complete and on disk. Only
its owner may read it. With - it goes to standard output, and is complete only if
the exit code is 0.

The backup stays sealed, and does not contain the root key: keep copies of both,
in different places. It needs the root key, with which it signs the record of
itself in the audit log. Check a backup with "keysake doctor --backup FILE", and
restore it with "keysake restore FILE".`

func newBackup(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup {FILE | -}",
		Short: "Back up a data folder, even while the server runs",
		Long:  backupLong,
		Example: `  keysake backup /backup/keysake-$(date +%F) --data /var/lib/keysake/data
  keysake backup - --data /var/lib/keysake/data | age -r age1… > keysake.age
  keysake doctor --data /var/lib/keysake/data \
    --backup /backup/keysake-2026-05-04 --all`,
		Args: exactlyOne("the FILE to write"),
	}
	settings := localSettings(cmd)
	replace := cmd.Flags().Bool("force", false, "replace the file if it exists")
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, args []string) error {
		if args[0] == "-" {
			return a.backupToStream(ctx, cfg)
		}
		made, err := maintenance.Backup(ctx, cfg, a.passphrase, args[0], *replace)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(made)
		}
		return a.print(backupSummary(made))
	})
	return cmd
}

// backupToStream writes a backup to standard output, and what is said of it to standard error.
func (a *app) backupToStream(ctx context.Context, cfg config.Config) error {
	if f, ok := a.stdout.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return usagef("standard output is a terminal: redirect it")
	}
	made, err := maintenance.BackupTo(ctx, cfg, a.passphrase, a.stdout)
	if err != nil {
		return err
	}
	for line := range strings.Lines(backupSummary(made)) {
		a.infof("%s", strings.TrimSuffix(line, "\n"))
	}
	return nil
}

func backupSummary(b maintenance.BackupFile) string {
	return fmt.Sprintf("%s: %s, %s, %s, %s, %s, of %s\nsha256 %s\n", escape(b.File),
		count(b.Rows["users"], "user", "users"),
		count(b.Rows["secrets"], "secret", "secrets"),
		count(b.Rows["secret_versions"], "old version", "old versions"),
		count(b.Rows["audit_entries"], "audit entry", "audit entries"),
		count(b.Bytes, "byte", "bytes"), b.CreatedAt.Format(time.RFC3339), b.SHA256)
}

package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

const auditCutLong = `Remove from the audit log the entries of before a day that an export
has. The whole export is verified first, so nothing is removed that it does not
prove. What is left is still a chain that begins with the hash of the last entry
that was removed; an entry records the cut. Keep the export: it is the only place
that has what was removed.

` + localHelp

func newAuditCut(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cut FILE --before DAY",
		Short: "Remove old entries that an export has",
		Long:  auditCutLong,
		Example: `  keysake audit export audit-2026 --data /var/lib/keysake/data
  keysake audit cut audit-2026 --before 2026-01-01 --data /var/lib/keysake/data`,
		Args: exactlyOne("the FILE of the export"),
	}
	settings := localSettings(cmd)
	day := cmd.Flags().String("before", "",
		"remove what is older than this `DAY`, such as 2026-01-31, in UTC; required")
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, args []string) error {
		before, err := time.Parse(time.DateOnly, *day)
		if err != nil {
			return usagef("--before is missing or no day: give one such as 2026-01-31")
		}
		done, err := maintenance.CutAudit(ctx, cfg, a.passphrase, args[0], before)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(done)
		}
		a.infof("Removed %s from %s. Keep %s: it is the only place that has them.",
			count(done.Entries, "entry", "entries"), count(done.Chains, "chain", "chains"), args[0])
		return nil
	})
	return cmd
}

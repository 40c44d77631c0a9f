package cli

import (
	"context"
	"strconv"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

func newAudit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "List what is in the audit log, and prove it",
		Long: `List what is in the audit log, and prove it. Each user has a chain of entries, in
which the hash of an entry covers the one before it, and the instance has one. A
checkpoint is signed and says in which state all chains were. Whoever keeps
checkpoints in another place notices later if an entry was removed or changed.

"list" asks the server, as you. The others are for operators and auditors: all but
verify work on the data folder.

` + localHelp,
		Example: `  keysake audit list --secret OPENAI_API_KEY
  keysake audit key --data /var/lib/keysake/data > audit-key
  keysake audit checkpoint --data /var/lib/keysake/data
  keysake audit export audit-2026-05 --data /var/lib/keysake/data
  keysake audit verify audit-2026-05 --key "$(cat audit-key)"`,
	}
	group(cmd)
	cmd.AddCommand(newAuditList(a), newAuditHead(a), newAuditKey(a), newAuditCheckpoint(a),
		newAuditExport(a), newAuditVerify(a), newAuditCut(a))
	return cmd
}

func newAuditHead(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "head",
		Short: "Show where the chains of the audit log end",
		Long: `Show the head of every chain as of now: how many entries it has had, and the hash
of the last one, which covers all before it. Keep it in another place: an export
from later, or "keysake doctor", shows whether the chain still has that entry.

A user whose ledger does not verify is named, and has no head.`,
		Example: `  keysake audit head --data /var/lib/keysake/data
  keysake audit head --data /var/lib/keysake/data --json`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		log, err := maintenance.ReadAuditLog(ctx, cfg, a.passphrase)
		if err != nil {
			return err
		}
		for _, c := range log.Chains {
			if c.Broken {
				a.warnUnproved(c.ID)
			}
		}
		return show(a, log, *asJSON, headsGrid)
	})
	return cmd
}

// warnUnproved says of users that nothing is known of their chains.
func (a *app) warnUnproved(users ...uuid.UUID) {
	for _, user := range users {
		a.infof("The ledger of user %s does not verify: nothing is known of the user's chain. "+
			"Somebody changed the database.", user)
	}
}

func headsGrid(log maintenance.AuditLog) grid {
	rows := grid{{"ID", "WHOSE", "ENTRIES", "HASH"}}
	for _, c := range log.Chains {
		entries, hash := strconv.FormatUint(c.Entries, 10), c.Hash.String()
		if c.Broken {
			entries, hash = "-", "-"
		}
		rows = append(rows, []string{c.ID.String(), c.Whose, entries, hash})
	}
	return rows
}

func newAuditKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Print the public key that verifies checkpoints",
		Long: `Print the public key that verifies the checkpoints of this instance. Give it to
whoever verifies exports, once, and keep it apart from the data: who can replace
it can make you believe any export.`,
		Example: `  keysake audit key --data /var/lib/keysake/data > audit-key`,
		Args:    noArgs,
	}
	settings := localSettings(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		log, err := maintenance.ReadAuditLog(ctx, cfg, a.passphrase)
		if err != nil {
			return err
		}
		return a.print(log.Key + "\n")
	})
	return cmd
}

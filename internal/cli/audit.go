package cli

import "github.com/spf13/cobra"

func newAudit(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Prove what is in the audit log (for operators and auditors)",
		Long: `Prove what is in the audit log. Each user has a chain of entries, in which the
hash of an entry covers the one before it, and the instance has one. A checkpoint
is signed and says in which state all chains were. Whoever keeps checkpoints in
another place notices later if an entry was removed or changed.`,
		Example: `  keysake audit verify /backup/audit-2026-05 --key "$(cat audit-key)"`,
	}
	group(cmd)
	cmd.AddCommand(newAuditVerify(a))
	return cmd
}

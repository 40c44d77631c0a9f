package cli

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
)

// auditSettings are the settings of the commands that make a checkpoint.
func auditSettings(f *pflag.FlagSet) *config.Settings {
	settings := config.New(append([]string{
		"data", "keys", "root-key", "instance-key", "root-passphrase-file", "root-passphrase-fd",
		"key-service-timeout", "kms-helper", "checkpoints",
	}, databaseSettings...)...)
	settings.AddFlags(f)
	return settings
}

// A checkpointJSON is a checkpoint and where it is kept.
type checkpointJSON struct {
	Number      uint64     `json:"number"`
	Hash        audit.Hash `json:"hash"`
	Root        audit.Hash `json:"root"`
	Chains      uint64     `json:"chains"`
	InstanceKey uuid.UUID  `json:"instance_key"`
	Note        string     `json:"note"`
	Leaves      string     `json:"leaves"`

	Unproved []uuid.UUID `json:"unproved,omitzero"` // users of whose chains it says nothing
}

func describeKept(c instance.KeptCheckpoint) checkpointJSON {
	return checkpointJSON{
		c.Number, c.Hash(), c.Root, c.Chains, c.InstanceKey, c.NoteFile, c.LeavesFile,
		c.Unproved(),
	}
}

func newAuditCheckpoint(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "Sign in which state all chains of the audit log are",
		Long: `Make a checkpoint: a signed note that says in which state all chains of the audit
log are, and a leaves file, which belongs to it. The note shows how many chains
there are, and no id. Copy both files to where nobody who can change the data can
change them. Of a user whose ledger does not verify it says that nothing is
proved; it is made all the same, for the others. The server makes a checkpoint by
itself, see --checkpoint-every, and every backup has one in its second line.`,
		Example: `  keysake audit checkpoint --data /var/lib/keysake/data`,
		Args:    noArgs,
	}
	settings := auditSettings(cmd.Flags())
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		made, err := maintenance.MakeCheckpoint(ctx, cfg, a.passphrase)
		if err != nil {
			return err
		}
		a.warnUnproved(made.Unproved()...)
		if *asJSON {
			return a.printJSON(describeKept(made))
		}
		return a.print(fmt.Sprintf("%s\n%s\n%s: the hash of checkpoint %d, of %s\n",
			escape(made.NoteFile), escape(made.LeavesFile), made.Hash(), made.Number,
			count(made.Chains, "chain", "chains")))
	})
	return cmd
}

func newAuditExport(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "export FILE",
		Short: "Write the audit log to a file that proves itself",
		Long: `Make a checkpoint, and write the audit log up to it to a new file: all chains, or
with --user one of them. The file has the checkpoint in it, so that anyone who
has the public key can verify it with "keysake audit verify". An export of one
user shows nothing of any other.`,
		Example: `  keysake audit export audit-2026-05 --data /var/lib/keysake/data
  keysake audit export mia.audit --data /var/lib/keysake/data --user mia`,
		Args: exactlyOne("the FILE to write"),
	}
	settings := auditSettings(cmd.Flags())
	user := cmd.Flags().String("user", "",
		"only the chain of this `USER`: a name or an id, also of a deleted user")
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, args []string) error {
		made, err := maintenance.ExportAudit(ctx, cfg, a.passphrase, args[0], *user)
		if err != nil {
			return err
		}
		a.warnUnproved(made.Checkpoint.Unproved()...)
		if *asJSON {
			return a.printJSON(struct {
				maintenance.AuditExport

				Checkpoint checkpointJSON `json:"checkpoint"`
			}{made, describeKept(made.Checkpoint)})
		}
		return a.print(fmt.Sprintf("%s: %s with %s, up to checkpoint %d\n", escape(made.File),
			count(made.Chains, "chain", "chains"), count(made.Entries, "entry", "entries"),
			made.Checkpoint.Number))
	})
	return cmd
}

package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/doctor"
)

const auditVerifyLong = `Verify an export of the audit log, anywhere: this needs no data folder, no
root key and no server. --key is the public key that signs the checkpoints. Get
it once, on another way than the export. After a rotation of the instance key, or
a restore, the key from before is enough: it has signed the new one. But if that
key leaked, get the new one again.

The export must be signed, complete and unbroken. With a checkpoint that you kept
from before, and its leaves file, every chain must also extend what it was then:
a user who was dropped, a chain that was cut or recomputed is named.

The exit code is 1 if anything is wrong.`

// verifyFlags name what an export is verified against.
type verifyFlags struct {
	keys                         []string
	note, earlier, earlierLeaves string
	entries, asJSON              *bool
}

func newAuditVerify(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify FILE --key PUBLICKEY",
		Short: "Verify an export of the audit log, without a database",
		Long:  auditVerifyLong,
		Example: `  keysake audit verify audit-2026-05 --key "$(cat audit-key)"
  keysake audit verify audit-2026-05 --key "$(cat audit-key)" \
    --earlier-note 17.note --earlier-leaves 17.leaves
  keysake audit verify audit-2026-05 --key "$(cat audit-key)" --entries |
    jq .action`,
		Args: exactlyOne("the FILE to read"),
	}
	var in verifyFlags
	f := cmd.Flags()
	f.StringArrayVar(&in.keys, "key", nil,
		"a `PUBLICKEY` that signs checkpoints; required, repeatable")
	f.StringVar(&in.note, "note", "", "the export's checkpoint, from another place than the export")
	f.StringVar(&in.earlier, "earlier-note", "", "a checkpoint from before")
	f.StringVar(&in.earlierLeaves, "earlier-leaves", "", "the leaves file of --earlier-note")
	in.entries = f.Bool("entries", false,
		"print the entries as lines of JSON, and the report to standard error")
	in.asJSON = jsonFlag(cmd)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if len(in.keys) == 0 {
			return usagef("--key is missing: give the public key that signs the checkpoints")
		}
		if (in.earlier == "") != (in.earlierLeaves == "") {
			return usagef("--earlier-note and --earlier-leaves belong together: give both")
		}
		return a.verifyExport(args[0], in)
	}
	return cmd
}

func (a *app) verifyExport(file string, in verifyFlags) error {
	trust, err := in.trust()
	if err != nil {
		return err
	}
	printed := a
	if *in.entries {
		trust.Each = a.printEntry
		printed = &app{stdout: a.stderr}
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	report, err := trust.Verify(f)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	if err := printed.printReport(verdict(report), *in.asJSON); err != nil {
		return err
	}
	if len(report.Faults) > 0 {
		return errors.New("the audit log cannot be trusted as it is")
	}
	return nil
}

// trust reads the files that the flags name.
func (in verifyFlags) trust() (t audit.Trust, err error) {
	t.Keys = in.keys
	if in.note != "" {
		if t.Note, err = os.ReadFile(in.note); err != nil {
			return t, err
		}
	}
	if in.earlier == "" {
		return t, nil
	}
	t.Earlier = new(audit.Kept)
	if t.Earlier.Note, err = os.ReadFile(in.earlier); err != nil {
		return t, err
	}
	t.Earlier.Leaves, err = os.ReadFile(in.earlierLeaves)
	return t, err
}

// verdict makes a report of what an export proves.
func verdict(r audit.Report) doctor.Report {
	log := doctor.Check{
		Name: "audit log", Status: doctor.OK,
		Text: fmt.Sprintf("%s with %s, unbroken, as the checkpoint has them",
			count(r.Chains, "chain", "chains"), count(r.Entries, "entry", "entries")),
	}
	if !r.Whole {
		log.Text += "; the export has no other chain"
	}
	checks := []doctor.Check{{
		Name: "checkpoint", Status: doctor.OK, Text: describeCheckpoint(r.Checkpoint),
	}}
	for _, s := range r.Successions {
		checks = append(checks, doctor.Check{
			Name: "succession", Status: doctor.OK,
			Text: fmt.Sprintf("after checkpoint %d, at %s, the key of %s signed that of %s",
				s.Last, s.At.Format(time.RFC3339), s.From, audit.KeyOf(s.Key)),
		})
	}
	if r.Earlier != nil {
		checks = append(checks, doctor.Check{
			Name: "earlier", Status: doctor.OK, Text: describeCheckpoint(*r.Earlier),
		})
		log.Text += ", and extending the earlier checkpoint"
	}
	if len(r.Faults) > 0 {
		log.Status, log.Text = doctor.Failed, "it is not what was signed"
		for _, fault := range r.Faults {
			log.Details = append(log.Details, strings.TrimPrefix(fault.Error(), "audit: "))
		}
	}
	return doctor.Report{Checks: append(checks, log)}
}

func describeCheckpoint(c audit.Checkpoint) string {
	return fmt.Sprintf("number %d of %s, of %s, signed for instance key %s", c.Number,
		c.At.Format(time.RFC3339), count(c.Chains, "chain", "chains"), c.InstanceKey)
}

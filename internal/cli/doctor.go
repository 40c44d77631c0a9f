package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/maintenance"
)

const doctorLong = `Check whether a data folder could be recovered. The server may keep running.
Nothing is changed, and no value is shown.

The checks open every root key that is still needed, every owner key, and a
random sample of the values, or all of them with --all. They verify the signed
ledgers, that each row is listed there and none is missing, the audit log, the
database file, its schema, the file permissions, where the root key is kept, and
the free disk space. If the server has people sign in at a provider, with the same
settings --oidc-… as the server, they check those: the provider is asked what it is,
and the secret's file must be private. A provider that does not answer is a warning.
With --webhook-url and --webhook-key-file they check those as the server does when it
starts, and tell the webhook nothing.
With --backup, they check a backup, too, and that every audit
chain of the database extends the backup's: a database that was put back to an
older day does not.

Each check says "ok", "warning" (it can be recovered, but look at it) or "failed"
(it is lost, or would be). The exit code is 1 if a check failed.`

// doctorSample is the default of --sample.
const doctorSample = 1000

func newDoctor(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check whether a data folder and a backup could be recovered",
		Long:  doctorLong,
		Example: `  keysake doctor --data /var/lib/keysake/data
  keysake doctor --data /var/lib/keysake/data \
    --backup /backup/keysake-2026-05-04 --all`,
		Args: noArgs,
	}
	settings := localSettings(cmd, append(config.SignInFlags(),
		"egress-allow", "webhook-url", "webhook-key-file")...)
	f := cmd.Flags()
	all := f.Bool("all", false, "open every value and old version instead of a sample")
	sample := f.Int("sample", doctorSample, "how many values to open, chosen at random")
	file := f.String("backup", "", "also check the backup in this `FILE`")
	asJSON := jsonFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		if *sample < 0 {
			return usagef("--sample must be 0 or more")
		}
		if *all {
			*sample = doctor.All
		}
		options := maintenance.DoctorOptions{Sample: *sample, Backup: *file}
		report, err := maintenance.Doctor(ctx, cfg, a.passphrase, options)
		if err != nil {
			return err
		}
		if err := a.printReport(report, *asJSON); err != nil {
			return err
		}
		if n := report.Count(doctor.Failed); n > 0 {
			return fmt.Errorf("%d of %d checks failed", n, len(report.Checks))
		}
		return nil
	})
	return cmd
}

func (a *app) printReport(report doctor.Report, asJSON bool) error {
	if asJSON {
		return a.printJSON(report)
	}
	width := 0
	for _, c := range report.Checks {
		width = max(width, len(c.Name))
	}
	var b strings.Builder
	for _, c := range report.Checks {
		text := escape(strings.ReplaceAll(c.Text, "\n", "; "))
		fmt.Fprintf(&b, "%-8s %-*s  %s\n", c.Status, width, c.Name, text)
		for _, detail := range c.Details {
			fmt.Fprintf(&b, "%-8s %-*s  - %s\n", "", width, "", escape(detail))
		}
		if c.Advice != "" {
			fmt.Fprintf(&b, "%-8s %-*s  > %s\n", "", width, "", escape(c.Advice))
		}
	}
	return a.print(b.String())
}

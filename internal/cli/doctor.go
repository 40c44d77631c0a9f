package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/server"
)

const doctorLong = `Answers "could we recover?" of a data folder, while the server serves or without one. It changes nothing and shows no value.

It opens every root key that is still needed, every key of a user, and a random sample of the values, or all of them with --all; it verifies the audit log to
its ends, the counts, the database's file, who may read the files, where the root key lies, the free disk, and with --backup all of the same
of a backup. "ok" needs nothing, "warning" can be recovered and should be looked at, "failed" is lost, or would be.

The exit code is 0 where nothing failed, and 1 otherwise.`

// doctorSample is how many values are opened unless more are asked for.
const doctorSample = 1000

func newDoctor(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check whether a data folder and a backup could be recovered",
		Long:  doctorLong,
		Example: `  keysake doctor --data /var/lib/keysake/data
  keysake doctor --data /var/lib/keysake/data --backup /backup/keysake-2026-05-04 --all`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	all := cmd.Flags().Bool("all", false, "open every value and every old version, not a sample")
	sample := cmd.Flags().Int("sample", doctorSample, "how many values to open, chosen at random")
	file := cmd.Flags().String("backup", "", "a backup to check as well, a `FILE`")
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		if *sample < 0 {
			return usagef("--sample must be 0 or more")
		}
		if *all {
			*sample = doctor.All
		}
		report, err := server.Doctor(
			cmd.Context(),
			cfg,
			a.passphrase,
			server.Checkup{Sample: *sample, Backup: *file},
		)
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
	}
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
	var text strings.Builder
	for _, c := range report.Checks {
		fmt.Fprintf(
			&text,
			"%-8s %-*s  %s\n",
			c.Status,
			width,
			c.Name,
			clean(strings.ReplaceAll(c.Text, "\n", "; ")),
		)
		for _, detail := range c.Details {
			fmt.Fprintf(&text, "         %-*s  - %s\n", width, "", clean(detail))
		}
		if c.Do != "" {
			fmt.Fprintf(&text, "         %-*s  > %s\n", width, "", clean(c.Do))
		}
	}
	return a.print(text.String())
}

package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
)

// newDocs is for who builds Keysake: it prints the pages of docs/ that are made from the program
// itself.
func newDocs(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:    "docs",
		Short:  "Print the pages of the documentation that follow from the program",
		Long:   "Prints the pages of the documentation that follow from the program, in Markdown.",
		Hidden: true,
	}
	group(cmd)
	cmd.AddCommand(
		&cobra.Command{
			Use:     "settings",
			Short:   "Print the reference of all settings",
			Long:    "Prints the reference of all settings of the server.",
			Example: "  keysake docs settings > docs/settings.md",
			Args:    noArgs,
			RunE:    func(*cobra.Command, []string) error { return a.print(config.Reference()) },
		},
		&cobra.Command{
			Use:     "cli",
			Short:   "Print the reference of all commands",
			Long:    "Prints the reference of all commands, which is their help.",
			Example: "  keysake docs cli > docs/cli.md",
			Args:    noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				return a.print(
					reference(cmd.Root()),
				)
			},
		},
	)
	return cmd
}

// reference returns the page of all commands below root.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(
		"# Commands\n\nThis page is printed by `keysake docs cli`; `--help` says the same.\n",
	)
	describe(&b, root)
	return b.String()
}

func describe(b *strings.Builder, cmd *cobra.Command) {
	usage := cmd.UseLine()
	if cmd.HasSubCommands() {
		usage += " COMMAND"
	}
	fmt.Fprintf(b, "\n## %s\n\n```text\n%s\n\nUsage:\n  %s\n", cmd.CommandPath(), cmd.Long, usage)
	if flags := cmd.LocalFlags(); flags.HasAvailableFlags() {
		fmt.Fprintf(b, "\nFlags:\n%s", flags.FlagUsages())
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\nExamples:\n%s\n", cmd.Example)
	}
	b.WriteString("```\n")
	for _, below := range cmd.Commands() {
		// What cobra adds by itself is described by --help, for the shells it is about.
		if below.IsAvailableCommand() && below.Name() != "completion" {
			describe(b, below)
		}
	}
}

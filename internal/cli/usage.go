package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// helpWidth is where the descriptions of flags wrap.
const helpWidth = 80

// usage prints how a command is used. It is cobra's own text, but for the width. As a template of
// cobra it would link text/template, and with it every exported method of the program: 2.6 MB.
func usage(cmd *cobra.Command) error {
	local, inherited := cmd.LocalFlags(), cmd.InheritedFlags()
	var b strings.Builder
	b.WriteString("Usage:")
	if cmd.Runnable() {
		fmt.Fprintf(&b, "\n  %s", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n  %s [command]", cmd.CommandPath())
	}
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\n\nAliases:\n  %s", cmd.NameAndAliases())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\n\nExamples:\n%s", cmd.Example)
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\n\nAvailable Commands:")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() || sub.Name() == "help" {
				fmt.Fprintf(&b, "\n  %-*s %s", sub.NamePadding(), sub.Name(), sub.Short)
			}
		}
	}
	if local.HasAvailableFlags() {
		b.WriteString("\n\nFlags:\n")
		b.WriteString(trimEnd(local.FlagUsagesWrapped(helpWidth)))
	}
	if inherited.HasAvailableFlags() {
		b.WriteString("\n\nGlobal Flags:\n")
		b.WriteString(trimEnd(inherited.FlagUsagesWrapped(helpWidth)))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n\nUse \"%s [command] --help\" for more.", cmd.CommandPath())
	}
	b.WriteString("\n")
	_, err := fmt.Fprint(cmd.OutOrStderr(), b.String())
	return err
}

func trimEnd(text string) string { return strings.TrimRight(text, " \n") }

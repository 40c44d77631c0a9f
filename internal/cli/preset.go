package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newPresets(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:   "presets",
		Short: "List the providers that Keysake knows",
		Long: `List the providers that the server knows, with the environment variable of each,
whether you have a secret of that provider or name, and what can be done with one:
probe (ask whether it works) and broker (keysake run --broker). Needs the scope
secrets:read.`,
		Example: `  keysake presets
  keysake presets --json`,
		Args: noArgs,
	}, fromServer(a, (*client.Client).ListPresets), presetsGrid)
}

func presetsGrid(list wire.PresetList) grid {
	rows := grid{{"PROVIDER", "NAME", "CONFIGURED", "CATEGORY", "CAN"}}
	for _, p := range list.Presets {
		var can []string
		if p.Probe {
			can = append(can, "probe")
		}
		if p.Broker {
			can = append(can, "broker")
		}
		names := strings.Join(append([]string{p.EnvVarName}, p.Aliases...), ", ")
		rows = append(rows, []string{
			p.Provider, names, yesNo(p.Configured), p.Category, orDash(strings.Join(can, ", ")),
		})
	}
	return rows
}

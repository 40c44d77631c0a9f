package cli

import (
	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newPresets(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:   "presets",
		Short: "List the providers that Keysake knows",
		Long: `List the providers that the server knows, with the environment variable of each,
and whether you have a secret of that provider or name. Needs the scope
secrets:read.`,
		Example: `  keysake presets
  keysake presets --json`,
		Args: noArgs,
	}, fromServer(a, (*client.Client).ListPresets), presetsGrid)
}

func presetsGrid(list wire.PresetList) grid {
	rows := grid{{"PROVIDER", "NAME", "CONFIGURED"}}
	for _, p := range list.Presets {
		rows = append(rows, []string{p.Provider, p.EnvVarName, yesNo(p.Configured)})
	}
	return rows
}

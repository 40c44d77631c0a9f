package cli

import "github.com/spf13/cobra"

func newPresets(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "presets",
		Short: "List the providers that secrets can be created from",
		Long: `Lists the providers that the server knows, the environment variable that a key of each becomes, and whether you have a secret of
that provider or name. It needs the scope secrets:read.`,
		Example: `  keysake presets
  keysake presets --json`,
		Args: noArgs,
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		list, err := c.ListPresets(cmd.Context())
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(list)
		}
		rows := table{{"PROVIDER", "NAME", "CONFIGURED"}}
		for _, p := range list.Presets {
			rows = append(rows, []string{p.Provider, p.EnvVarName, yesNo(p.Configured)})
		}
		return a.printTable(rows)
	}
	return cmd
}

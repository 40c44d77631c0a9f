package cli

import (
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/wire"
)

func newSecretsVersions(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "versions NAME|ID",
		Short: "List the versions of a secret",
		Long: `Lists the values that a secret has had, newest first, each with its mask. The first one is the current one. The server keeps
the last few, and destroys what is older. It needs the scope secrets:read.`,
		Example: `  keysake secrets versions OPENAI_API_KEY
  keysake secrets versions OPENAI_API_KEY --json`,
		Args: one("the secret's NAME or ID"),
	}
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		c, err := a.connect()
		if err != nil {
			return err
		}
		s, err := findSecret(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		list, err := c.ListVersions(cmd.Context(), s.ID)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(list)
		}
		rows := table{{"VERSION", "VALUE", "CREATED", "CURRENT"}}
		for _, v := range list.Versions {
			rows = append(
				rows,
				[]string{
					strconv.FormatInt(v.Number, 10),
					v.MaskedValue,
					moment(&v.CreatedAt),
					yesNo(v.Current),
				},
			)
		}
		return a.printTable(rows)
	}
	return cmd
}

func newSecretsRollback(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback NAME|ID --version N",
		Short: "Give a secret an older value again",
		Long: `Makes the value of an older version the current one again. It becomes a new version, and the one that was current until now is
kept, so that a rollback can itself be rolled back. "keysake secrets versions" lists the numbers. It needs the scope
secrets:write, and secrets:read to find a NAME.`,
		Example: `  keysake secrets versions OPENAI_API_KEY
  keysake secrets rollback OPENAI_API_KEY --version 2`,
		Args: one("the secret's NAME or ID"),
	}
	version := cmd.Flags().
		Int64("version", 0, "the `NUMBER` of the version whose value is wanted; required")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *version < 1 {
			return usagef(
				"--version is needed, a number from 1: \"keysake secrets versions NAME\" lists those there are",
			)
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		id, err := secretID(cmd.Context(), c, args[0])
		if err != nil {
			return err
		}
		s, err := c.RollbackSecret(cmd.Context(), id, wire.RollbackSecret{Version: *version})
		if err != nil {
			return err
		}
		a.note("Rolled back to the value of version %d.", *version)
		return a.printSecret(s, *asJSON)
	}
	return cmd
}

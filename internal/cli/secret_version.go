package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
	"github.com/keysake/keysake/wire"
)

func newSecretsVersions(a *app) *cobra.Command {
	return listCommand(a, &cobra.Command{
		Use:   "versions NAME|ID",
		Short: "List the versions of a secret",
		Long: `List the versions of a secret, newest first, each with its mask. The first one is
current. The server keeps the last few and destroys older ones. Needs the scope
secrets:read.`,
		Example: `  keysake secrets versions OPENAI_API_KEY
  keysake secrets versions OPENAI_API_KEY --json`,
		Args: exactlyOne("the secret's NAME or ID"),
	}, ofSecret(a, func(
		ctx context.Context, c *client.Client, s wire.Secret,
	) (wire.VersionList, error) {
		return c.ListVersions(ctx, s.ID)
	}), versionsGrid)
}

func versionsGrid(list wire.VersionList) grid {
	rows := grid{{"VERSION", "VALUE", "CREATED", "CURRENT"}}
	for _, v := range list.Versions {
		rows = append(rows, []string{
			strconv.FormatInt(v.Number, 10), v.MaskedValue, formatTime(&v.CreatedAt),
			yesNo(v.Current),
		})
	}
	return rows
}

func newSecretsRollback(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rollback NAME|ID --version N",
		Short: "Restore an older value of a secret",
		Long: `Make the value of an older version current again, as a new version. The version
that was current is kept, so you can undo a rollback with another one.
"keysake secrets versions" lists the numbers. Needs the scope secrets:write, and
secrets:read to find a NAME.`,
		Example: `  keysake secrets versions OPENAI_API_KEY
  keysake secrets rollback OPENAI_API_KEY --version 2`,
		Args: exactlyOne("the secret's NAME or ID"),
	}
	version := cmd.Flags().Int64("version", 0, "the `NUMBER` of the version; required")
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *version < 1 {
			return usagef("--version must be 1 or higher: " +
				`"keysake secrets versions NAME" lists them`)
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
		a.infof("Rolled back to the value of version %d.", *version)
		return show(a, s, *asJSON, secretGrid)
	}
	return cmd
}

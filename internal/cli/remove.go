package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
)

// removeCommand makes cmd remove what its argument names, and say that it is done: choose returns
// the id, once that is confirmed.
func removeCommand(
	a *app,
	cmd *cobra.Command,
	choose func(ctx context.Context, c *client.Client, ref string, yes bool) (id string, err error),
	remove func(c *client.Client, ctx context.Context, id string) error,
	done string,
) *cobra.Command {
	yes := yesFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.canConfirm(*yes); err != nil {
			return err
		}
		c, err := a.connect()
		if err != nil {
			return err
		}
		id, err := choose(cmd.Context(), c, args[0], *yes)
		if err != nil {
			return err
		}
		if err := remove(c, cmd.Context(), id); err != nil {
			return err
		}
		a.infof("%s", done)
		return nil
	}
	return cmd
}

package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/client"
)

// listCommand makes cmd print what read returns: as the grid that rows makes of it, or as JSON.
func listCommand[T any](
	a *app,
	cmd *cobra.Command,
	read func(ctx context.Context, args []string) (T, error),
	rows func(T) grid,
) *cobra.Command {
	asJSON := jsonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		list, err := read(cmd.Context(), args)
		if err != nil {
			return err
		}
		return show(a, list, *asJSON, rows)
	}
	return cmd
}

// fromServer returns a read function for [listCommand] that makes one request.
func fromServer[T any](
	a *app, request func(*client.Client, context.Context) (T, error),
) func(context.Context, []string) (T, error) {
	return func(ctx context.Context, _ []string) (out T, err error) {
		c, err := a.connect()
		if err != nil {
			return out, err
		}
		return request(c, ctx)
	}
}

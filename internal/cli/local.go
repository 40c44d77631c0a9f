package cli

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/vault"
)

const localHelp = `Run this on the server's machine, as the server's user. The server may keep
running.`

// localSettings adds the flags of a command that works on a data folder and opens its keys, and
// those of more settings.
func localSettings(cmd *cobra.Command, more ...string) *config.Settings {
	settings := config.New(slices.Concat(more, databaseSettings, []string{
		"data", "keys", "root-key", "instance-key", "floors", "root-passphrase-file",
		"root-passphrase-fd", "key-service-timeout", "kms-helper",
	})...)
	settings.AddFlags(cmd.Flags())
	return settings
}

// databaseSettings are those of a database of PostgreSQL.
//
//nolint:gochecknoglobals // it is a list: nothing writes to it
var databaseSettings = []string{
	"database-url", "database-password-file", "database-connections", "database-pooler",
}

// local returns what runs a command that works on a data folder, with its settings.
func (a *app) local(
	settings *config.Settings,
	run func(ctx context.Context, cfg config.Config, args []string) error,
) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		return run(cmd.Context(), cfg, args)
	}
}

// listLocal makes cmd print what read returns of a data folder whose keys it does not open, as
// [listCommand] does. It adds the flags of the settings data, keys and key, and of the database.
func listLocal[T any](
	a *app,
	cmd *cobra.Command,
	key string,
	read func(ctx context.Context, cfg config.Config) (T, error),
	rows func(T) grid,
) *cobra.Command {
	settings := config.New(append([]string{"data", "keys", key}, databaseSettings...)...)
	settings.AddFlags(cmd.Flags())
	return listCommand(a, cmd, func(ctx context.Context, _ []string) (out T, err error) {
		cfg, err := a.load(settings)
		if err != nil {
			return out, err
		}
		return read(ctx, cfg)
	}, rows)
}

// checkUsername refuses a --username that no user can have.
func checkUsername(text string) error {
	_, err := vault.NewUsername(text)
	if bad, ok := errors.AsType[*vault.Error](err); ok {
		return usagef("--username: %s", bad.Fields[0].Msg)
	}
	return err
}

// place says where the database of a configuration is.
func place(cfg config.Config) string {
	if cfg.DatabaseURL != "" {
		return "in PostgreSQL"
	}
	return "in " + cfg.Data
}

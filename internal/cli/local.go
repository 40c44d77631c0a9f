package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/vault"
)

const localHelp = `Run this on the server's machine, as the server's user. The server may keep
running.`

// localSettings adds the flags of a command that works on a data folder and opens its keys, and
// those of more settings.
func localSettings(cmd *cobra.Command, more ...string) *config.Settings {
	settings := config.New(append(more,
		"data", "keys", "root-key", "instance-key", "floors", "root-passphrase-file",
		"root-passphrase-fd", "key-service-timeout", "kms-helper",
	)...)
	settings.AddFlags(cmd.Flags())
	return settings
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

// checkUsername refuses a --username that no user can have.
func checkUsername(text string) error {
	_, err := vault.NewUsername(text)
	if bad, ok := errors.AsType[*vault.Error](err); ok {
		return usagef("--username: %s", bad.Fields[0].Msg)
	}
	return err
}

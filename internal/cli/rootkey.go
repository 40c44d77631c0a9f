package cli

import (
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

const localHelp = `Run this on the server's machine, as the server's user. The server may keep
running.`

func newRootKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "root-key",
		Short: "Manage the root key (for operators)",
		Long: `Manage the root key, which wraps the owner key of every user. A rotation makes
another root key the primary one, and wraps all owner keys with it. It touches
no value.

` + localHelp,
		Example: `  keysake root-key status --data /var/lib/keysake/data
  keysake root-key rotate --data /var/lib/keysake/data --to file:/etc/keysake/root-2.key`,
	}
	group(cmd)
	cmd.AddCommand(newRootKeyRotate(a), newRootKeyStatus(a), newRootKeyRetire(a))
	return cmd
}

// localSettings adds the flags of a command that works on a data folder and opens its root keys.
func localSettings(cmd *cobra.Command) *config.Settings {
	settings := config.New(
		"data", "root-key", "root-passphrase-file", "root-passphrase-fd", "key-service-timeout",
		"kms-helper",
	)
	settings.AddFlags(cmd.Flags())
	return settings
}

type rootKeyList struct {
	RootKeys []maintenance.RootKey `json:"root_keys"`
}

func newRootKeyStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the root keys and what they still wrap",
		Long: `List the root keys of a data folder, oldest first: the state of each, how many
owner keys it wraps, since when, and its URL. The primary key wraps new owner
keys. A replaced key may still wrap some, until a rotation has finished. A
retired key is not needed any more. No root key is opened.

` + localHelp,
		Example: `  keysake root-key status --data /var/lib/keysake/data
  keysake root-key status --data /var/lib/keysake/data --json`,
		Args: noArgs,
	}
	settings := config.New("data")
	settings.AddFlags(cmd.Flags())
	return listCommand(a, cmd, func(ctx context.Context, _ []string) (rootKeyList, error) {
		cfg, err := a.load(settings)
		if err != nil {
			return rootKeyList{}, err
		}
		keys, err := maintenance.ListRootKeys(ctx, cfg)
		return rootKeyList{keys}, err
	}, rootKeysGrid)
}

func rootKeysGrid(list rootKeyList) grid {
	rows := grid{{"ID", "STATE", "OWNER KEYS", "SINCE", "URL"}}
	for _, k := range list.RootKeys {
		rows = append(rows, []string{
			k.ID, k.State, strconv.Itoa(k.OwnerKeys), k.Since.UTC().Format(timeLayout), k.URL,
		})
	}
	return rows
}

func newRootKeyRetire(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire ID",
		Short: "Mark a replaced root key as no longer needed",
		Long: `Mark a root key that wraps no owner key any more as retired. Every owner key is
first opened with the key that wraps it now. The primary key, and a key that
still wraps an owner key, cannot be retired. ID is the id that
"keysake root-key status" shows, or its beginning.

The key itself is not deleted: backups from before the rotation need it.

` + localHelp,
		Example: "  keysake root-key retire 3f1c --data /var/lib/keysake/data",
		Args:    exactlyOne("the root key's ID"),
	}
	settings := localSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		if err := maintenance.RetireRootKey(cmd.Context(), cfg, a.passphrase, args[0]); err != nil {
			return err
		}
		a.infof("Retired. Backups from before the rotation still need it.")
		return nil
	}
	return cmd
}

package cli

import (
	"cmp"
	"context"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/maintenance"
)

func newRootKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "root-key",
		Short: "Manage the root key (for operators)",
		Long: `Manage the root key, which wraps the owner key of every user and the key that
signs. A rotation makes another root key the primary one, and wraps all of them
with it. It touches no value.

Which root keys are believed is said by the keys file, or by --root-key in its
place, and never by the database.

` + localHelp,
		Example: `  keysake root-key status --data /var/lib/keysake/data
  keysake root-key rotate --data /var/lib/keysake/data \
    --to file:/etc/keysake/root-2.key`,
	}
	group(cmd)
	cmd.AddCommand(newRootKeyRotate(a), newRootKeyStatus(a), newRootKeyRetire(a))
	return cmd
}

type rootKeyList struct {
	RootKeys []maintenance.RootKey `json:"root_keys"`
}

func newRootKeyStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the root keys and what they still wrap",
		Long: `List the root keys of a data folder: first those that the configuration names,
in its order, then others that the database knows. The primary key wraps; a
configured one only opens; one that is not configured is never opened, and if it
wraps owner keys, doctor tells what to do. No key service is asked.

` + localHelp,
		Example: `  keysake root-key status --data /var/lib/keysake/data
  keysake root-key status --data /var/lib/keysake/data --json`,
		Args: noArgs,
	}
	read := func(ctx context.Context, cfg config.Config) (rootKeyList, error) {
		keys, err := maintenance.ListRootKeys(ctx, cfg)
		return rootKeyList{keys}, err
	}
	return listLocal(a, cmd, "root-key", read, rootKeysGrid)
}

func rootKeysGrid(list rootKeyList) grid {
	rows := grid{{"ID", "STATE", "OWNER KEYS", "CREATED", "URL"}}
	for _, k := range list.RootKeys {
		created := "-"
		if k.CreatedAt != nil {
			created = k.CreatedAt.UTC().Format(timeLayout)
		}
		rows = append(rows, []string{
			cmp.Or(k.ID, "-"), k.State, strconv.Itoa(k.OwnerKeys), created, cmp.Or(k.URL, "-"),
		})
	}
	return rows
}

func newRootKeyRetire(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire ID",
		Short: "Take out a root key that is no longer needed",
		Long: `Take a root key that wraps no owner key any more out of the database and the
keys file. Every owner key is first opened with the key that wraps it now. The
primary key, and a key that still wraps an owner key, cannot be retired. ID is
the id that "keysake root-key status" shows, or its beginning.

The key itself is not deleted: backups from before the rotation need it.

` + localHelp,
		Example: "  keysake root-key retire 3f1c --data /var/lib/keysake/data",
		Args:    exactlyOne("the root key's ID"),
	}
	settings := localSettings(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, args []string) error {
		next, err := maintenance.RetireRootKey(ctx, cfg, a.passphrase, args[0])
		if err != nil {
			return err
		}
		a.infof("Retired. Backups from before the rotation still need it.")
		if next != "" {
			a.infof("Next: %s.", next)
		}
		return nil
	})
	return cmd
}

package cli

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/server"
)

const localHelp = `It works on the data folder itself, beside a server that may be running on it, and as the user that the server runs as: so it is for the
operator at the machine, and in no API.`

func newRootKey(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "root-key",
		Short: "For operators: the key that wraps all others",
		Long: `The root key wraps the owner keys, of which each user has one. To rotate means to make another root key the primary and to wrap all owner
keys with it; no value is touched. ` + localHelp,
		Example: `  keysake root-key status --data /var/lib/keysake/data
  keysake root-key rotate --data /var/lib/keysake/data --to file:/etc/keysake/root-2.key`,
	}
	group(cmd)
	cmd.AddCommand(newRootKeyRotate(a), newRootKeyStatus(a), newRootKeyRetire(a))
	return cmd
}

// localSettings are what a command takes that works on a data folder and needs its root keys.
func localSettings(cmd *cobra.Command) *config.Settings {
	settings := config.New(
		"data",
		"root-key",
		"root-passphrase-file",
		"root-passphrase-fd",
		"key-service-timeout",
	)
	settings.AddFlags(cmd.Flags())
	return settings
}

const rotateLong = `Makes another root key the primary and wraps every owner key with it, batch by batch, while servers serve; they take the new key up by
themselves. It may be stopped at any point, even killed: the same command goes on where it was. Only one rotation runs at a time.

--to is the URL of the new root key. A key file that is missing is made; for passphrase: the new passphrase is asked for twice, or read from
--to-passphrase-file or --to-passphrase-fd. Rotating passphrase: to passphrase: with the same passphrase takes up better parameters, if there are.

Running servers must be able to open the new key: the file must be readable for them, the new passphrase must be a line of their
--root-passphrase-file before, the key service must let them in.

The old root key is still needed for older backups. "keysake root-key retire" notes that the database needs it no more. `

func newRootKeyRotate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Wrap all owner keys with another root key",
		Long:  rotateLong + localHelp,
		Example: `  keysake root-key rotate --data /var/lib/keysake/data --to file:/etc/keysake/root-2.key
  keysake root-key rotate --data /var/lib/keysake/data --to passphrase: --to-passphrase-file /etc/keysake/passphrase-2
  keysake root-key rotate --data /var/lib/keysake/data --to hashivault://keysake`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	var to server.NewRootKey
	cmd.Flags().StringVar(&to.URL, "to", "", "the new root key's `URL`; required")
	cmd.Flags().
		StringVar(
			&to.PassphraseFile, "to-passphrase-file", "",
			"`FILE` with the new passphrase, for --to passphrase:",
		)
	cmd.Flags().
		IntVar(
			&to.PassphraseFD, "to-passphrase-fd", 0,
			"file descriptor `N` to read the new passphrase from",
		)
	asJSON := cmd.Flags().Bool("json", false, "print a line of JSON for each step")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		if err := checkNewRootKey(to); err != nil {
			return err
		}
		to.Ask = a.passphrase
		shown := a.newProgress("owner keys", *asJSON)
		n, err := server.RotateRootKey(cmd.Context(), cfg, a.passphrase, to, shown.tell)
		shown.end()
		if err != nil {
			return goOn(err, shown)
		}
		a.note(
			"Rotated: %s is the root key, and %d owner keys were wrapped with it now. Keep a copy of it elsewhere, and the old one as long as backups need it.",
			to.URL,
			n,
		)
		return nil
	}
	return cmd
}

func checkNewRootKey(to server.NewRootKey) error {
	if to.URL == "" {
		return usagef("--to is missing: name the new root key's URL")
	}
	if err := rootkey.Check(to.URL); err != nil {
		return usagef("--to: %w", err)
	}
	if (to.PassphraseFile != "" || to.PassphraseFD != 0) && to.URL != rootkey.PassphraseURL {
		return usagef("--to-passphrase-file and --to-passphrase-fd are for --to passphrase:")
	}
	if to.PassphraseFile != "" && to.PassphraseFD != 0 || to.PassphraseFD < 0 {
		return usagef(
			"--to-passphrase-file and --to-passphrase-fd are two places for one passphrase: give one; a descriptor is a number from 3",
		)
	}
	return nil
}

// goOn says how to go on after a rotation that was cut short.
func goOn(err error, shown *progress) error {
	if errors.Is(err, server.ErrCannotStart) || errors.Is(err, server.ErrRotating) ||
		shown.last.Total == 0 {
		return err
	}
	return fmt.Errorf(
		"%w: nothing is lost; the same command goes on after %d of %d",
		err,
		shown.last.Done,
		shown.last.Total,
	)
}

func newRootKeyStatus(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "List the root keys and what they still wrap",
		Long: `Lists the root keys of a data folder, oldest first: the state of each, how many owner keys it wraps, since when, and where it is. A primary wraps
what is wrapped now; a replaced one may still wrap owner keys, until a rotation is at its end; a retired one is never asked for again. No
root key is opened for this. ` + localHelp,
		Example: `  keysake root-key status --data /var/lib/keysake/data
  keysake root-key status --data /var/lib/keysake/data --json`,
		Args: noArgs,
	}
	settings := config.New("data")
	settings.AddFlags(cmd.Flags())
	asJSON := cmd.Flags().Bool("json", false, "print JSON")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		keys, err := server.RootKeys(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		if *asJSON {
			return a.printJSON(map[string]any{"root_keys": keys})
		}
		rows := table{{"ID", "STATE", "OWNER KEYS", "SINCE", "URL"}}
		for _, k := range keys {
			rows = append(
				rows,
				[]string{
					k.ID,
					k.State,
					strconv.Itoa(k.OwnerKeys),
					k.Since.UTC().Format("2006-01-02 15:04:05Z"),
					k.URL,
				},
			)
		}
		return a.printTable(rows)
	}
	return cmd
}

func newRootKeyRetire(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retire ID",
		Short: "Note that a replaced root key is needed no more",
		Long: `Retires a root key that wraps no owner key any more, after every owner key was opened with the key that wraps it now. It refuses the primary, and a
key that still wraps one. The ID is that of "keysake root-key status", or its beginning. The key itself is not touched: backups that were made
before the rotation need it. ` + localHelp,
		Example: "  keysake root-key retire 3f1c --data /var/lib/keysake/data",
		Args:    one("the root key's ID"),
	}
	settings := localSettings(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := a.load(settings)
		if err != nil {
			return err
		}
		if err := server.RetireRootKey(cmd.Context(), cfg, a.passphrase, args[0]); err != nil {
			return err
		}
		a.note("Retired. Backups that were made before the rotation still need it.")
		return nil
	}
	return cmd
}

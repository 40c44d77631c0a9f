package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/maintenance"
	"github.com/keysake/keysake/internal/rootkey"
)

const rotateLong = `Make another root key the primary one, and wrap every owner key and the key that
signs with it. Only one rotation runs at a time. If interrupted, run the same
command again; it continues where it stopped.

--to is the URL of the new root key. A key file that does not exist is created.
For passphrase:, you are asked for the new passphrase twice, or it is read from
--to-passphrase-file or --to-passphrase-fd. Rotate to passphrase: with the same
passphrase to upgrade its Argon2id parameters. Without --to, what the primary key
does not wrap yet is wrapped with it.

Running servers must be able to open the new key before you rotate: they can
read the key file, their --root-passphrase-file has the new passphrase as one of
its lines, or the key service admits them.

Where the keys file names the root keys, this puts the new one first in it and
takes the others out when nothing needs them; running servers notice. Where
--root-key names them, it says at each step which flags to change; and on
PostgreSQL, when to copy the keys file to the other servers.

Backups that were made before still need the old root key, so keep it.

` + localHelp

func newRootKeyRotate(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Wrap all owner keys with another root key",
		Long:  rotateLong,
		Example: `  keysake root-key rotate --data /var/lib/keysake/data \
    --to file:/etc/keysake/root-2.key
  keysake root-key rotate --data /var/lib/keysake/data \
    --to passphrase: --to-passphrase-file /etc/keysake/passphrase-2
  keysake root-key rotate --data /var/lib/keysake/data --to hashivault://keysake`,
		Args: noArgs,
	}
	settings := localSettings(cmd)
	to := maintenance.NewRootKey{Ask: a.passphrase}
	f := cmd.Flags()
	f.StringVar(&to.URL, "to", "", "the new root key's `URL`")
	f.StringVar(&to.PassphraseFile, "to-passphrase-file", "",
		"for --to passphrase:, the `FILE` with the new passphrase")
	f.IntVar(&to.PassphraseFD, "to-passphrase-fd", 0,
		"for --to passphrase:, the file descriptor `N` with the new passphrase")
	asJSON := progressFlag(cmd)
	cmd.RunE = a.local(settings, func(ctx context.Context, cfg config.Config, _ []string) error {
		if err := checkNewRootKey(to); err != nil {
			return err
		}
		shown := a.newProgress("owner keys", *asJSON)
		done, err := maintenance.RotateRootKey(ctx, cfg, a.passphrase, to, shown.update)
		shown.finish()
		if err != nil {
			return resumeHint(err, shown)
		}
		if done.Next != "" {
			a.infof("Next: %s.", done.Next)
		}
		if done.Rewrapped == 0 && done.Next != "" {
			return nil
		}
		wrapped := count(done.Rewrapped, "owner key", "owner keys")
		a.infof("Rotated: %s is the root key now; rewrapped %s. Keep a copy of it elsewhere, "+
			"and keep the old one while backups need it.", done.URL, wrapped)
		return nil
	})
	return cmd
}

func checkNewRootKey(to maintenance.NewRootKey) error {
	if to.URL != "" {
		if err := rootkey.Check(to.URL); err != nil {
			return usagef("--to: %w", err)
		}
	}
	hasFile, hasFD := to.PassphraseFile != "", to.PassphraseFD != 0
	switch {
	case (hasFile || hasFD) && to.URL != rootkey.PassphraseURL:
		return usagef("--to-passphrase-file and --to-passphrase-fd need --to passphrase:")
	case hasFile && hasFD:
		return usagef("--to-passphrase-file and --to-passphrase-fd cannot be combined: give one")
	case to.PassphraseFD < 0:
		return usagef("--to-passphrase-fd must be 3 or higher")
	}
	return nil
}

// resumeHint adds to the error of a rotation that stopped how to continue it.
func resumeHint(err error, shown *progress) error {
	if errors.Is(err, instance.ErrCannotOpen) || errors.Is(err, maintenance.ErrRotating) ||
		shown.last.Total == 0 {
		return err
	}
	return fmt.Errorf("%s: stopped after %d of %d, nothing is lost: run the same command again",
		explain(err), shown.last.Done, shown.last.Total)
}

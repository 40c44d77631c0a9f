package maintenance

import (
	"context"
	"errors"
	"fmt"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// A NewRootKey is the root key to rotate to. For a passphrase, the first of PassphraseFile,
// PassphraseFD and Ask that is set gives it.
type NewRootKey struct {
	URL            string
	PassphraseFile string      // its first line
	PassphraseFD   int         // its first line
	Ask            rootkey.Ask // is called twice
}

// RotateRootKey makes another root key the primary, and rewraps every owner key with it. A file:
// URL whose file does not exist gets a new key. Servers may be running. An interrupted rotation
// continues with the same call. It returns the number of owner keys that it rewrapped, and calls
// progress as that number grows.
//
// The error wraps [instance.ErrCannotOpen] if the data folder or a root key cannot be opened, and
// is [ErrRotating] if another rotation is running. Nothing was changed then.
func RotateRootKey(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, to NewRootKey,
	progress func(done, total int),
) (rewrapped int, err error) {
	next := &rootkey.Source{File: to.PassphraseFile, FD: to.PassphraseFD, Ask: to.Ask}
	roots := instance.NewRootKeys(cfg, ask)
	if to.URL == rootkey.PassphraseURL {
		if _, err := next.New(ctx); err != nil {
			return 0, instance.CannotOpen(err)
		}
	}
	roots.Opener.NewSource = next
	err = withRotationLock(ctx, cfg, roots, func(i *instance.Instance, _ *flock.Flock) error {
		if err := addRootKey(ctx, i, to.URL); err != nil {
			return err
		}
		return i.Operator.RewrapOwnerKeys(ctx, func(done, total int) {
			rewrapped = done
			progress(done, total)
		})
	})
	return rewrapped, err
}

// addRootKey makes the root key at a URL the primary, if it is not the primary already.
func addRootKey(ctx context.Context, i *instance.Instance, url string) error {
	if same, err := isPrimaryPassphrase(ctx, i, url); same || err != nil {
		return err
	}
	root, ref, err := i.RootKeys.Opener.Create(ctx, url)
	if err != nil {
		return instance.CannotOpen(fmt.Errorf("--to %s: %w", url, err))
	}
	err = i.Operator.AddRootKey(ctx, root, ref.URL, ref.Params)
	if failed, ok := errors.AsType[*vault.RootKeyError](err); ok {
		return instance.CannotOpen(fmt.Errorf("--to %s: %w", url, failed.Cause))
	}
	return err
}

// isPrimaryPassphrase reports whether url is that of a passphrase and the primary was made of the
// same one with current parameters. Such a key would get a new id, and all be rewrapped for
// nothing.
func isPrimaryPassphrase(ctx context.Context, i *instance.Instance, url string) (bool, error) {
	if url != rootkey.PassphraseURL {
		return false, nil
	}
	keys, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return false, err
	}
	for _, k := range keys {
		if k.State == vault.Primary {
			at := rootkey.Location{ID: k.ID, URL: k.URL, Params: k.Params}
			return i.RootKeys.Opener.SamePassphrase(ctx, at)
		}
	}
	return false, nil
}

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

// A NewRootKey says what to rotate to.
type NewRootKey struct {
	URL            string
	PassphraseFile string              // of a passphrase: its first line; or
	PassphraseFD   int                 // the same from a descriptor; or
	Ask            instance.Passphrase // asks for it, twice
}

// RotateRootKey makes another root key the primary, a new key file if its URL names one that is
// missing, and rewraps every owner key with it. It works beside servers that serve. It may be
// stopped at any point; the same call then goes on. progress is told how far it is. It returns how
// many owner keys were rewrapped.
//
// Its error has [instance.ErrCannotOpen] where the folder or a root key does not open, and is [ErrRotating]
// where another rotation runs: nothing was changed then.
func RotateRootKey(
	ctx context.Context,
	cfg config.Config,
	ask instance.Passphrase,
	to NewRootKey,
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

// addRootKey makes the key of a URL the primary, unless it is.
func addRootKey(ctx context.Context, i *instance.Instance, url string) error {
	keys, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if k.State != vault.Primary || url != rootkey.PassphraseURL {
			continue
		}
		same, err := i.RootKeys.Opener.SamePassphrase(ctx, rootkey.Location{ID: k.ID, URL: k.URL, Params: k.Params})
		if same || err != nil {
			return err
		}
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

package maintenance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// A NewRootKey is the root key to rotate to. For a passphrase, the first of PassphraseFile,
// PassphraseFD and Ask that is set gives it.
type NewRootKey struct {
	URL            string      // empty for the first one of --root-key
	PassphraseFile string      // its first line
	PassphraseFD   int         // its first line
	Ask            rootkey.Ask // is called twice
}

// A Rotated is what a rotation of the root key did.
type Rotated struct {
	URL       string // of the root key, as the configuration names it
	Rewrapped int    // the number of owner keys
	Next      string // what is left to the operator; empty if nothing is
}

// RotateRootKey makes another root key the first, and rewraps every owner key and the instance key
// with it. A file: URL whose file does not exist gets a new key. Servers may be running.
//
// Where the keys file names the root keys, the new one comes first in it, and when nothing needs
// the others they are taken out. Where --root-key names them, it does only what the flags allow,
// and says what comes next; and so where servers on other machines have copies of the keys file. An
// interrupted rotation continues with the same call. progress is called as the number of rewrapped
// owner keys grows.
//
// The error wraps [instance.ErrCannotOpen] if the data folder or a root key cannot be opened, and
// is [ErrRotating] if another rotation is running. Nothing was changed then.
func RotateRootKey(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, to NewRootKey,
	progress func(done, total int),
) (done Rotated, err error) {
	next := &rootkey.Source{File: to.PassphraseFile, FD: to.PassphraseFD, Ask: to.Ask}
	keys := instance.NewKeys(cfg, ask)
	if to.URL == rootkey.PassphraseURL {
		if _, err := next.New(ctx); err != nil {
			return done, instance.CannotOpen(err)
		}
	}
	keys.Opener.NewSource = next
	err = withRotationLock(ctx, cfg, keys, func(i *instance.Instance) error {
		if done.URL, err = addRootKey(ctx, i, to.URL); err != nil {
			return err
		}
		counted := func(n, total int) {
			done.Rewrapped = n
			progress(n, total)
		}
		switch {
		case len(cfg.RootKeys) > 0:
			done.Next, err = rotateFlags(ctx, i, done.URL, counted)
		case cfg.DatabaseURL != "":
			done.Next, err = rotateCopies(ctx, i, cfg, done.URL, counted)
		default:
			err = rotateKeysFile(ctx, i, done.URL, counted)
		}
		return err
	})
	return done, err
}

// addRootKey makes the root key at a URL known to the database, if it is not yet, and returns its
// URL as the configuration is to name it.
func addRootKey(ctx context.Context, i *instance.Instance, url string) (string, error) {
	switch {
	case url == "":
		urls, _, err := i.Keys.Named()
		if err != nil {
			return "", err
		}
		return rootkey.AbsoluteURL(urls[0])
	case url == rootkey.PassphraseURL:
		known, err := knownPassphrase(ctx, i)
		if known != "" || err != nil {
			return known, err
		}
	case rootkey.IsPassphrase(url):
		return url, nil
	}
	root, ref, err := i.Keys.Opener.Create(ctx, url)
	if err != nil {
		return "", instance.CannotOpen(fmt.Errorf("--to %s: %w", url, err))
	}
	err = i.Operator.AddRootKey(ctx, root, ref.URL, ref.Params)
	if failed, ok := errors.AsType[*vault.RootKeyError](err); ok {
		return "", instance.CannotOpen(fmt.Errorf("--to %s: %w", url, failed.Cause))
	}
	return ref.URL, err
}

// knownPassphrase returns the URL of a root key that was made of the new passphrase with current
// parameters, such as by a rotation that was interrupted. Such a key would get a new id, and all be
// rewrapped for nothing.
func knownPassphrase(ctx context.Context, i *instance.Instance) (url string, err error) {
	known, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return "", err
	}
	for _, k := range known {
		at := rootkey.Location{ID: k.ID, Params: k.Params}
		same, err := i.Keys.Opener.SamePassphrase(ctx, at)
		if err != nil {
			return "", err
		}
		if same {
			url = rootkey.PassphraseURL + k.ID.String()
		}
	}
	return url, nil
}

// rotateKeysFile does all steps of a rotation where the keys file names the root keys: running
// servers read it again when they need it. Each step is complete before the next one begins.
func rotateKeysFile(
	ctx context.Context, i *instance.Instance, url string, progress func(done, total int),
) error {
	err := i.Keys.ChangeRootKeys(func(named []string) []string {
		return append([]string{url}, without(named, url)...)
	})
	if err != nil {
		return err
	}
	foreign := i.Operator.RewrapKeys(ctx, progress)
	if foreign != nil && !errors.Is(foreign, vault.ErrNotConfigured) {
		return foreign
	}
	if err := dropRootKeys(ctx, i); err != nil {
		return err
	}
	err = i.Keys.ChangeRootKeys(func([]string) []string { return []string{url} })
	return errors.Join(err, foreign)
}

func without(urls []string, url string) []string {
	return slices.DeleteFunc(slices.Clone(urls), func(other string) bool { return other == url })
}

// maxDrops bounds how often owner keys are rewrapped that a server wraps with a root key that it
// has read as the first before.
const maxDrops = 4

// dropRootKeys makes the database forget the root keys but the first, unless they are foreign. From
// then on no server wraps with one of them.
func dropRootKeys(ctx context.Context, i *instance.Instance) (err error) {
	for range maxDrops {
		if err = dropOnce(ctx, i); vault.KindOf(err) != vault.Conflict {
			return err
		}
		again := i.Operator.RewrapKeys(ctx, func(int, int) {})
		if again != nil && !errors.Is(again, vault.ErrNotConfigured) {
			return again
		}
	}
	return err
}

func dropOnce(ctx context.Context, i *instance.Instance) error {
	known, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return err
	}
	first, err := i.Keys.FirstRootKey(ctx, known)
	if err != nil {
		return err
	}
	for _, k := range known {
		if k.ID == first {
			continue
		}
		if k.OwnerKeys > 0 {
			_, err := i.Keys.OpenRootKey(ctx, k)
			if errors.Is(err, vault.ErrNotConfigured) {
				continue
			}
		}
		if err := i.Operator.DropRootKey(ctx, k.ID); err != nil {
			return err
		}
	}
	return nil
}

// rotateFlags rewraps if the flags name the root key first, and returns what comes next.
func rotateFlags(
	ctx context.Context, i *instance.Instance, url string, progress func(done, total int),
) (next string, err error) {
	urls, _, err := i.Keys.Named()
	if err != nil {
		return "", err
	}
	var named []string
	for _, url := range urls {
		if url, err = rootkey.AbsoluteURL(url); err != nil {
			return "", err
		}
		named = append(named, url)
	}
	switch slices.Index(named, url) {
	case 0:
	case -1:
		return fmt.Sprintf("add --root-key %s behind the others on every server, restart them, "+
			"and run this again with it", url), nil
	default:
		return fmt.Sprintf("move --root-key %s to the front on every server, restart them, "+
			"and run this again with it", url), nil
	}
	if err := i.Operator.RewrapKeys(ctx, progress); err != nil || len(named) == 1 {
		return "", err
	}
	return fmt.Sprintf("take --root-key %s out on every server, restart them, and then run "+
		"keysake root-key retire", strings.Join(named[1:], " and --root-key ")), nil
}

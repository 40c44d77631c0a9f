package instance

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// openKeys opens the keys that the configuration names. With [Create] it makes those of a new
// database.
func (i *Instance) openKeys(ctx context.Context, cfg config.Config, access Access) error {
	known, err := i.Operator.ListRootKeys(ctx)
	switch {
	case err != nil:
		return err
	case len(known) == 0 && access == Create:
		return i.createKeys(ctx, cfg)
	case len(known) == 0:
		return fmt.Errorf("the database in %s is not initialized: run keysake init --data %s",
			cfg.Data, cfg.Data)
	}
	if err := i.openRootKeys(ctx); err != nil {
		if failed, ok := errors.AsType[*vault.RootKeyError](err); ok {
			err = failed // without what it would say to a client
		}
		return fmt.Errorf("%w. Restore this root key, or name it in the keys file or with "+
			"--root-key: %s needs it. Nothing was changed", err, cfg.Data)
	}
	if err := i.Operator.OpenInstanceKeys(ctx); err != nil {
		return fmt.Errorf("%w. The keys file or --instance-key must name the instance key of %s. "+
			"Nothing was changed", err, cfg.Data)
	}
	return nil
}

// openRootKeys opens the root keys that are needed. It makes the first known to the database, where
// the operator has moved a new one there.
func (i *Instance) openRootKeys(ctx context.Context) error {
	foreign, err := i.Operator.CheckRootKeys(ctx)
	if errors.Is(err, vault.ErrNotFound) {
		if err := i.addFirst(ctx); err != nil {
			return err
		}
		foreign, err = i.Operator.CheckRootKeys(ctx)
	}
	i.Foreign = foreign
	return err
}

func (i *Instance) addFirst(ctx context.Context) error {
	urls, _, err := i.Keys.Named()
	if err != nil {
		return err
	}
	if rootkey.IsPassphrase(urls[0]) {
		return fmt.Errorf("the database does not know the root key %s: only root-key rotate --to "+
			"passphrase: makes one of a passphrase", urls[0])
	}
	root, err := i.Keys.Opener.Open(ctx, rootkey.Location{URL: urls[0]})
	if err != nil {
		return err
	}
	if err := i.Operator.OpenInstanceKeys(ctx); err != nil { // it signs the record
		return err
	}
	return i.Operator.AddRootKey(ctx, root, urls[0], "")
}

// createKeys makes the first root key and the instance key of a new database. The keys file names
// them before the database has them: if it is interrupted between the two, it begins again, and
// replaces what the file names.
func (i *Instance) createKeys(ctx context.Context, cfg config.Config) error {
	if err := i.Operator.CheckNew(ctx); err != nil {
		return err
	}
	if len(cfg.InstanceKeys) > 0 {
		return errors.New("a new database gets a new instance key: omit --instance-key")
	}
	path, err := cfg.KeysFile()
	if err != nil {
		return err
	}
	file, err := i.Keys.read()
	if err != nil {
		return err
	}
	root, loc, others, err := i.createRootKey(ctx, cfg)
	if err != nil {
		return err
	}
	key, err := seal.NewInstanceKey()
	if err != nil {
		return err
	}
	if cfg.Dev {
		mark := key.RowMAC(devMark())
		if err := writeDevMark(cfg.Data, mark[:]); err != nil {
			return err
		}
	}
	named := file.With(append([]string{loc.URL}, others...), []uuid.UUID{key.ID()}, time.Now())
	if err := named.Write(path); err != nil {
		return err
	}
	return i.Operator.Initialize(ctx, root, loc.URL, loc.Params, key)
}

// createRootKey makes the first root key that is named, or the default one, and returns the URLs of
// the others.
func (i *Instance) createRootKey(
	ctx context.Context, cfg config.Config,
) (root seal.RootKey, loc rootkey.Location, others []string, err error) {
	urls, _, err := i.Keys.Named()
	if err != nil {
		return nil, loc, nil, err
	}
	if len(urls) == 0 {
		url, err := cfg.DefaultRootKey()
		if err != nil {
			return nil, loc, nil, err
		}
		urls = []string{url}
	}
	for _, url := range urls[1:] {
		if url, err = rootkey.AbsoluteURL(url); err != nil {
			return nil, loc, nil, err
		}
		others = append(others, url)
	}
	root, loc, err = i.Keys.Opener.Create(ctx, urls[0])
	return root, loc, others, err
}

// Reload reads the configuration of the keys again, for a running server: root keys that it does
// not name any more are closed, and those that it names are opened. Where the keys file cannot be
// read, everything stays as it is.
func (i *Instance) Reload(ctx context.Context) error {
	if err := i.Keys.checkFile(); err != nil {
		return err
	}
	if err := i.Operator.ForgetRootKeys(ctx); err != nil {
		return err
	}
	if err := i.openRootKeys(ctx); err != nil {
		return err
	}
	return i.Operator.OpenInstanceKeys(ctx)
}

package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
)

// The files of a data folder.
const (
	databaseFile = "keysake.db"
	lockFile     = "keysake.lock"        // held while a server runs
	rotationFile = "keysake.rotate.lock" // held while a rotation runs
)

// data is an open data folder.
type data struct {
	lock  *flock.Flock // nil beside a server that may be running
	store *sqlite.DB
	vault *vault.Service
	roots *rootKeys
}

// An access says what for a folder is opened.
type access int

const (
	alone access = iota // for a server: everything must be there, and no other server
	// the same, and what is missing is made; nothing is ever made over something else
	creating
	beside  // for a command beside a server that may be running
	looking // the same, for one that needs no root key
)

// openFolder opens a data folder, and makes sure that every root key which is still needed opens.
func openFolder(
	ctx context.Context,
	cfg config.Config,
	log *slog.Logger,
	ask Passphrase,
	how access,
) (d *data, err error) {
	return openFolderWith(ctx, cfg, log, newRootKeys(cfg, ask), how)
}

func openFolderWith(
	ctx context.Context,
	cfg config.Config,
	log *slog.Logger,
	roots *rootKeys,
	how access,
) (d *data, err error) {
	d = &data{roots: roots}
	// a command names where a key is, not which one is the primary
	d.roots.started.Store(how == beside)
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if err := d.openFiles(ctx, cfg, how); err != nil {
		return d, err
	}
	known, err := catalog.Load()
	if err != nil {
		return d, err
	}
	d.vault = vault.New(vault.Options{
		Store:        d.store,
		OpenRoot:     d.roots.open,
		KeyTTL:       cfg.KeyCacheTTL,
		Catalog:      known,
		MaxSecrets:   cfg.MaxSecrets,
		KeepVersions: cfg.KeepVersions,
		Log:          log,
	})
	if how == looking {
		return d, nil
	}
	err = d.vault.CheckRootKeys(ctx)
	switch failed, ok := errors.AsType[*vault.RootKeyError](err); {
	case errors.Is(err, vault.ErrNotFound) && how == creating:
		err = d.roots.create(ctx, cfg, d.vault)
	case errors.Is(err, vault.ErrNotFound):
		err = fmt.Errorf(
			"the database in %s is empty: finish it with: keysake init --data %s",
			cfg.Data,
			cfg.Data,
		)
	case ok:
		err = fmt.Errorf(
			"%w. Without it not everything in %s opens: put it back, or say with --root-key where it is. Nothing was changed",
			failed,
			cfg.Data,
		)
	}
	d.roots.started.Store(err == nil)
	return d, err
}

// openFiles locks the folder and opens the database in it.
func (d *data) openFiles(ctx context.Context, cfg config.Config, how access) (err error) {
	path := filepath.Join(cfg.Data, databaseFile)
	if how == creating {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return err
		}
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(
			"%s has no database: make one with: keysake init --data %s",
			cfg.Data,
			cfg.Data,
		)
	}
	if how == beside || how == looking {
		if err := sameUser(path); err != nil {
			return err
		}
	} else if d.lock, err = lockFolder(cfg.Data); err != nil {
		return err
	}
	open := sqlite.Open
	if how == beside || how == looking {
		open = sqlite.OpenShared
	}
	d.store, err = open(ctx, path)
	return err
}

// lockFolder keeps a second server out.
func lockFolder(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf(
			"another keysake is running on %s: stop it first, or give another --data",
			dir,
		)
	}
	return lock, nil
}

// close lets go of whatever of the folder is open.
func (d *data) close() error {
	var errs []error
	if d.store != nil {
		errs = append(errs, d.store.Close())
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Unlock())
	}
	return errors.Join(errs...)
}

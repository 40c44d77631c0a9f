package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// The files of a data folder.
const (
	databaseFile = "keysake.db"
	lockFile     = "keysake.lock" // held while a server runs
)

// data is an open data folder.
type data struct {
	lock  *flock.Flock
	store *store.DB
	vault *vault.Service
}

// openData opens the folder of a server: the database must be there and the root key must be its own. With --dev, what is missing is made.
func openData(ctx context.Context, cfg config.Config, log *slog.Logger) (*data, error) {
	if _, err := os.Stat(filepath.Join(cfg.Data, databaseFile)); errors.Is(err, fs.ErrNotExist) && !cfg.Dev {
		return nil, fmt.Errorf("%s has no database: make one with: keysake init --data %s", cfg.Data, cfg.Data)
	}
	return openFolder(ctx, cfg, log, cfg.Dev)
}

// openFolder locks and opens the folder. With create, an empty one gets what it lacks; nothing is ever made over something else.
func openFolder(ctx context.Context, cfg config.Config, log *slog.Logger, create bool) (d *data, err error) {
	d = &data{}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	if create {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return d, err
		}
	}
	if d.lock, err = lockFolder(cfg.Data); err != nil {
		return d, err
	}
	if d.store, err = store.OpenSQLite(ctx, filepath.Join(cfg.Data, databaseFile)); err != nil {
		return d, err
	}
	root, err := openRootKey(ctx, cfg, d.store, create)
	if err != nil {
		return d, err
	}
	known, err := catalog.Load()
	if err != nil {
		return d, err
	}
	d.vault = vault.New(vault.Options{Store: d.store, RootKey: root, Catalog: known, MaxSecrets: cfg.MaxSecrets, Log: log})
	err = d.vault.CheckRootKey(ctx)
	switch {
	case errors.Is(err, vault.ErrNotFound) && create:
		return d, nil
	case errors.Is(err, vault.ErrNotFound):
		return d, fmt.Errorf("the database in %s is empty: finish it with: keysake init --data %s", cfg.Data, cfg.Data)
	case errors.Is(err, vault.ErrOtherRootKey):
		return d, fmt.Errorf("--root-key %s: %w; give the root key that belongs to %s. Nothing was changed", cfg.RootKey, err, cfg.Data)
	}
	return d, err
}

// lockFolder keeps a second server out.
func lockFolder(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !locked {
		return nil, fmt.Errorf("another keysake is running on %s: stop it first, or give another --data", dir)
	}
	return lock, nil
}

// openRootKey reads the root key. Only for a database that has none yet, and only with create, is a missing one made.
func openRootKey(ctx context.Context, cfg config.Config, db *store.DB, create bool) (seal.RootKey, error) {
	path, err := rootKeyPath(cfg.RootKey)
	if err != nil {
		return seal.RootKey{}, err
	}
	root, err := seal.ReadKeyFile(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return root, err
	}
	err = db.View(ctx, func(r vault.Reader) error {
		_, err := r.RootKey(ctx)
		return err
	})
	switch {
	case err == nil:
		return root, fmt.Errorf("the root key %s is missing, and without it nothing in %s opens: put the file back, or say with --root-key where it is. "+
			"Nothing was changed", path, cfg.Data)
	case errors.Is(err, vault.ErrNotFound) && create:
		return seal.CreateKeyFile(path)
	case errors.Is(err, vault.ErrNotFound):
		return root, fmt.Errorf("the database in %s is empty: finish it with: keysake init --data %s", cfg.Data, cfg.Data)
	}
	return root, err
}

// rootKeyPath returns the path of a root key's URL.
func rootKeyPath(url string) (string, error) {
	path, found := strings.CutPrefix(url, "file:")
	if !found || path == "" {
		return "", errors.New("--root-key must be file:PATH")
	}
	return filepath.Clean(path), nil
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

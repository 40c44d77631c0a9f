package maintenance

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
)

// Restored describes what was restored, and where.
type Restored struct {
	BackupFile

	Data string `json:"data"`
}

// Restore creates a data folder from a backup, and records that in the audit log of the instance.
// The folder must be empty or missing. The configuration names the keys, never the backup. Before
// Restore writes anything, it reads the whole backup and opens every root key and every owner key.
// The folder has a database only once that is complete and on disk. Beside the folder, a keys
// file with the keys that were named is written where there is none.
//
// The error wraps [instance.ErrCannotOpen] if a root key does not open.
func Restore(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, file string,
) (done Restored, err error) {
	done = Restored{Data: cfg.Data}
	if err := mustBeEmpty(cfg.Data); err != nil {
		return done, err
	}
	if done.File, err = filepath.Abs(file); err != nil {
		return done, err
	}
	f, contents, err := openBackup(ctx, done.File)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return done, err
	}
	done.Bytes = info.Size()
	done.describe(contents.Manifest(), contents.Digest())
	if err := verify(ctx, cfg, ask, contents); err != nil {
		return done, fmt.Errorf("%w. Nothing was written", err)
	}
	if err := instance.NewKeys(cfg, nil).WriteFile(); err != nil {
		return done, err
	}
	return done, createDatabase(ctx, cfg.Data, func(db *sqlite.DB) error {
		return load(ctx, cfg, ask, db, contents, done.File)
	})
}

// verify opens everything that the backup needs.
func verify(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, contents *backup.File,
) error {
	if err := store.Check(ctx, contents); err != nil {
		return err
	}
	known, err := store.RootKeys(ctx, contents)
	if err != nil {
		return err
	}
	keys := instance.NewKeys(cfg, ask)
	if _, err := keys.InstanceKeys(); err != nil {
		return instance.CannotOpen(err)
	}
	roots, err := instance.ByID(keys.OpenRequired(ctx, known))
	if err != nil {
		return instance.CannotOpen(fmt.Errorf("%w. Restore the root key, or name it with "+
			"--root-key: without it, nothing that it wraps opens", err))
	}
	if err := doctor.OpenOwnerKeys(ctx, contents, roots); err != nil {
		return fmt.Errorf("%w: an owner key of the backup does not open", err)
	}
	return nil
}

// load fills a database with the backup, and records that.
func load(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, db *sqlite.DB, contents *backup.File,
	file string,
) error {
	if err := db.Load(ctx, contents); err != nil {
		return err
	}
	_, operator := vault.New(vault.Options{Store: db, Keys: instance.NewKeys(cfg, ask)})
	if err := operator.OpenInstanceKeys(ctx); err != nil {
		return err
	}
	return operator.RecordRestore(ctx, file)
}

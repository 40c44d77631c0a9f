package maintenance

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/google/uuid"

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
// The folder must be empty or missing. If a root key has another URL now, --root-key gives it, and
// the new database remembers it. Before Restore writes anything, it reads the whole backup and
// opens every root key that is still required and every owner key. The folder has a database only
// once that is complete and on disk.
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
	urls, err := verify(ctx, cfg, ask, contents)
	if err != nil {
		return done, fmt.Errorf("%w. Nothing was written", err)
	}
	return done, createDatabase(ctx, cfg.Data, func(db *sqlite.DB) error {
		return load(ctx, db, contents, urls, done.File)
	})
}

// verify opens everything that the backup needs, and returns the present URLs of its root keys by
// their ids.
func verify(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, contents *backup.File,
) (map[uuid.UUID]string, error) {
	if err := store.Check(ctx, contents); err != nil {
		return nil, err
	}
	keys, err := store.RootKeys(ctx, contents)
	if err != nil {
		return nil, err
	}
	required := instance.NewRootKeys(cfg, ask).OpenRequired(ctx, keys)
	roots, err := instance.ByID(required)
	if err != nil {
		return nil, instance.CannotOpen(fmt.Errorf("%w. Restore the root key, or give its URL "+
			"with --root-key: without it, nothing that it wraps opens", err))
	}
	urls, err := locate(required, cfg.RootKey)
	if err != nil {
		return nil, err
	}
	if err := doctor.OpenOwnerKeys(ctx, contents, roots); err != nil {
		return nil, fmt.Errorf("%w: an owner key of the backup does not open", err)
	}
	return urls, nil
}

// locate returns the URLs at which the root keys were opened, by their ids. configured is that of
// --root-key, which must be one of them.
func locate(required []instance.OpenedRootKey, configured string) (map[uuid.UUID]string, error) {
	urls := map[uuid.UUID]string{}
	used := configured == ""
	for _, k := range required {
		url, err := rootkey.AbsoluteURL(k.FoundAt)
		if err != nil {
			return nil, err
		}
		used = used || k.FoundAt == configured
		urls[k.ID] = url
	}
	if !used {
		return nil, instance.CannotOpen(errors.New(
			"--root-key names no root key that the backup needs"))
	}
	return urls, nil
}

// load fills a database with the backup, and records that.
func load(
	ctx context.Context,
	db *sqlite.DB,
	contents *backup.File,
	urls map[uuid.UUID]string,
	file string,
) error {
	if err := db.Load(ctx, contents); err != nil {
		return err
	}
	_, operator := vault.New(vault.Options{Store: db})
	return operator.RecordRestore(ctx, file, urls)
}

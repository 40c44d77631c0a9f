package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
)

// restoringFolder is where a database is until it is whole. What is left in it was cut short, and
// is no obstacle to the next try.
const restoringFolder = ".restoring"

// A Restored says what was restored, and where.
type Restored struct {
	BackupFile

	Data string `json:"data"`
}

// Restore makes a data folder from a backup. --root-key may name where the root key is now, which
// the new database then remembers; else it is where the backup says. Before anything is written all
// of the backup is read, and every root key that is still needed and every owner key is opened. The
// folder must be empty, or not be there; it has its database only when that is whole and on the
// disk. The audit log of the instance has an entry of it. Errors have [instance.ErrCannotOpen] where a root
// key does not open.
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
	f, whole, err := openBackup(ctx, done.File)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return done, err
	}
	done.Bytes = info.Size()
	done.describe(whole.Manifest(), whole.Digest())
	moved, err := verify(ctx, cfg, ask, whole)
	if err != nil {
		return done, err
	}
	return done, createDatabase(ctx, cfg, func(db *sqlite.DB) error {
		return load(ctx, db, whole, moved, done.File)
	})
}

// verify opens everything that the backup needs, and returns where its root keys are now, by their
// ids.
func verify(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, whole *backup.File,
) (map[uuid.UUID]string, error) {
	if err := store.Check(ctx, whole); err != nil {
		return nil, fmt.Errorf("%w. Nothing was written", err)
	}
	keys, err := store.RootKeys(ctx, whole)
	if err != nil {
		return nil, err
	}
	needed := instance.NewRootKeys(cfg, ask).OpenRequired(ctx, keys)
	roots, err := instance.ByID(needed)
	if err != nil {
		return nil, instance.CannotOpen(fmt.Errorf("%w. Without it nothing that it wraps opens: "+
			"put it back, or say with --root-key where it is. Nothing was written", err))
	}
	moved, err := locate(needed, cfg.RootKey)
	if err != nil {
		return nil, err
	}
	if err := doctor.OpenOwnerKeys(ctx, whole, roots); err != nil {
		return nil, fmt.Errorf("%w: the backup holds a key that does not open, and was not "+
			"restored. Nothing was written", err)
	}
	return moved, nil
}

// locate returns the URLs by which the root keys were opened.
func locate(needed []instance.OpenedRootKey, given string) (map[uuid.UUID]string, error) {
	moved := map[uuid.UUID]string{}
	used := given == ""
	for _, o := range needed {
		url, err := rootkey.AbsoluteURL(o.FoundAt)
		if err != nil {
			return nil, err
		}
		used = used || o.FoundAt == given
		moved[o.ID] = url
	}
	if !used {
		return nil, instance.CannotOpen(errors.New(
			"--root-key names none of the root keys that the backup needs. Nothing was written"))
	}
	return moved, nil
}

// mustBeEmpty refuses a folder with anything in it but what a file system or a restore that was cut
// short leaves there.
func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		switch e.Name() {
		case restoringFolder, instance.LockFile, "lost+found":
		default:
			return fmt.Errorf(
				"%s is not empty, and nothing is restored over anything: give another --data", dir,
			)
		}
	}
	return err
}

// createDatabase makes the database in a folder of its own, and gives it its name at the end.
func createDatabase(
	ctx context.Context, cfg config.Config, load func(*sqlite.DB) error,
) (err error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	lock, err := instance.Lock(cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := mustBeEmpty(cfg.Data); err != nil { // it may have changed before the lock
		return err
	}
	folder := filepath.Join(cfg.Data, restoringFolder)
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	path := filepath.Join(folder, instance.DatabaseFile)
	if err := createFile(ctx, path, load); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(cfg.Data, instance.DatabaseFile)); err != nil {
		return err
	}
	return errors.Join(
		privatefile.SyncDir(cfg.Data), privatefile.SyncDir(filepath.Dir(filepath.Clean(cfg.Data))))
}

// createFile makes a database in one file, without a journal, that is on the disk.
func createFile(ctx context.Context, path string, load func(*sqlite.DB) error) error {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	if err := errors.Join(load(db), db.Close()); err != nil {
		return err
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return errors.New("the database's journal could not be written back")
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// load fills a database with the backup, and records that.
func load(
	ctx context.Context, db *sqlite.DB, whole *backup.File, moved map[uuid.UUID]string, file string,
) error {
	if err := db.Load(ctx, whole); err != nil {
		return err
	}
	err := db.Update(ctx, func(tx vault.Tx) error {
		for id, url := range moved {
			if err := tx.SetRootKeyURL(ctx, id, url); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, operator := vault.New(vault.Options{Store: db})
	return operator.RecordRestore(ctx, file)
}

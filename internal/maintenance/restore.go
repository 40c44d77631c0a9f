package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
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
	ctx context.Context,
	cfg config.Config,
	ask rootkey.Ask,
	file string,
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
	done.Bytes, done.SHA256, done.Manifest = info.Size(), whole.Digest().String(), whole.Manifest()
	src, err := openable(ctx, cfg, ask, whole)
	if err != nil {
		return done, err
	}
	return done, build(ctx, cfg, src, done.File)
}

// openable makes sure that everything which the backup needs opens, and returns it with the root
// keys where they are now.
func openable(
	ctx context.Context,
	cfg config.Config,
	ask rootkey.Ask,
	whole *backup.File,
) (backup.Source, error) {
	keys, err := whole.RootKeys(ctx)
	if err != nil {
		return nil, err
	}
	needed := instance.NewRootKeys(cfg, ask).OpenRequired(ctx, keys)
	roots, err := instance.ByID(needed)
	if err != nil {
		return nil, instance.CannotOpen(
			fmt.Errorf(
				"%w. Without it nothing that it wraps opens: put it back, or say with --root-key where it is. Nothing was written",
				err,
			),
		)
	}
	moved, err := moveKeys(keys, needed, cfg.RootKey)
	if err != nil {
		return nil, err
	}
	if err := doctor.OpenOwnerKeys(ctx, whole, roots); err != nil {
		return nil, fmt.Errorf(
			"%w: the backup holds a key that does not open, and was not restored. Nothing was written",
			err,
		)
	}
	return relocated{whole, moved}, nil
}

// moveKeys returns the root keys with the URLs by which they were opened.
func moveKeys(keys []backup.RootKey, needed []instance.OpenedRootKey, given string) ([]backup.RootKey, error) {
	moved := append([]backup.RootKey(nil), keys...)
	used := given == ""
	for _, o := range needed {
		url, err := rootkey.AbsoluteURL(o.FoundAt)
		if err != nil {
			return nil, err
		}
		used = used || o.FoundAt == given
		for i := range moved {
			if moved[i].ID == o.ID {
				moved[i].URL = url
			}
		}
	}
	if !used {
		return nil, instance.CannotOpen(
			errors.New(
				"--root-key names none of the root keys that the backup needs. Nothing was written",
			),
		)
	}
	return moved, nil
}

// relocated is a backup with its root keys where they are now.
type relocated struct {
	backup.Source

	keys []backup.RootKey
}

// RootKeys implements [backup.Source].
func (r relocated) RootKeys(context.Context) ([]backup.RootKey, error) { return r.keys, nil }

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
				"%s is not empty, and nothing is restored over anything: give another --data",
				dir,
			)
		}
	}
	return err
}

// build makes the database in a folder of its own, and gives it its name at the end.
func build(ctx context.Context, cfg config.Config, src backup.Source, file string) (err error) {
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return err
	}
	lock, err := instance.Lock(cfg.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := mustBeEmpty(cfg.Data); err != nil { // nobody came before the lock
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
	if err := fill(ctx, path, src, file); err != nil {
		return err
	}
	if err := syncFile(path); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(cfg.Data, instance.DatabaseFile)); err != nil {
		return err
	}
	return errors.Join(privatefile.SyncDir(cfg.Data), privatefile.SyncDir(filepath.Dir(filepath.Clean(cfg.Data))))
}

// fill makes a database of all rows in one file, without a journal beside it.
func fill(ctx context.Context, path string, src backup.Source, file string) error {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	err = db.Load(ctx, src)
	if err == nil {
		_, operator := vault.New(vault.Options{Store: db})
		err = operator.RecordRestore(ctx, file)
	}
	if err = errors.Join(err, db.Close()); err != nil {
		return err
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return errors.New("the database's journal could not be written back")
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/store/sqlite"
)

// restoringFolder is the folder in a data folder that has the database while it is incomplete. The
// next restore removes what an interrupted one leaves in it.
const restoringFolder = ".restoring"

// mustBeEmpty refuses a folder that has anything in it, other than what a file system or an
// interrupted restore leaves there.
func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		switch e.Name() {
		case restoringFolder, instance.LockFile, "lost+found":
		default:
			return fmt.Errorf("%s is not empty: choose another --data", dir)
		}
	}
	return err
}

// inFolder calls do while it holds the lock of a data folder, which it creates if it is missing. Of
// a folder that it created, nothing is left if that fails.
func inFolder(data string, do func() error) (err error) {
	if _, statErr := os.Lstat(data); errors.Is(statErr, fs.ErrNotExist) {
		defer func() {
			if err != nil {
				_ = os.Remove(filepath.Join(data, instance.LockFile))
				_ = os.Remove(data) // it stays if it is not empty
			}
		}()
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	lock, err := instance.Lock(data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := mustBeEmpty(data); err != nil { // it may have changed before the lock
		return err
	}
	return do()
}

// createDatabase creates the database of a data folder: in a folder of its own, from which it is
// moved once it is complete. ready is called before it is moved.
func createDatabase(
	ctx context.Context, cfg config.Config, load func(instance.Database) error,
	ready func() error,
) (err error) {
	data := cfg.Data
	folder := filepath.Join(data, restoringFolder)
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
	if err := ready(); err != nil {
		return err
	}
	if err := os.Rename(path, filepath.Join(data, instance.DatabaseFile)); err != nil {
		return err
	}
	parent := filepath.Dir(filepath.Clean(data))
	return errors.Join(privatefile.SyncDir(data), privatefile.SyncDir(parent))
}

// createFile creates a database that is on disk in one file, without a WAL.
func createFile(
	ctx context.Context, path string, load func(instance.Database) error,
) error {
	db, err := sqlite.Open(ctx, path)
	if err != nil {
		return err
	}
	if err := errors.Join(load(db), db.Close()); err != nil {
		return err
	}
	if info, err := os.Stat(path + "-wal"); err == nil && info.Size() > 0 {
		return errors.New("the database could not be written to one file")
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

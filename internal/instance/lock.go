package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/gofrs/flock"
)

// LockFile is the name of the file in a data folder that a server locks while it runs.
const LockFile = "keysake.lock"

// Lock keeps other servers out of a data folder. The caller unlocks it.
func Lock(dir string) (*flock.Flock, error) {
	lock := flock.New(filepath.Join(dir, LockFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if !locked {
		return nil, otherServer(dir)
	}
	return lock, nil
}

func otherServer(dir string) error {
	return fmt.Errorf("another keysake is running on %s: stop it, or choose another --data", dir)
}

// rotationFile is the name of the file in a data folder that a rotation locks while it runs.
const rotationFile = "keysake.rotate.lock"

// TryLockRotation takes the lock that one rotation has at a time: in the data folder, or in a
// database that servers share. It reports false if another rotation has it.
func (i *Instance) TryLockRotation(
	ctx context.Context,
) (unlock func() error, locked bool, err error) {
	return i.tryLock(ctx)
}

func lockRotation(dir string) (unlock func() error, locked bool, err error) {
	lock := flock.New(filepath.Join(dir, rotationFile), flock.SetPermissions(0o600))
	locked, err = lock.TryLock()
	return lock.Unlock, locked, err
}

// errLocked means that another server has the database's lock.
var errLocked = errors.New("another server has the database")

// lockDatabase keeps other servers off the database at path, by whatever path they reach the file,
// and whatever becomes of the lock file in its folder. The flags are to open it with.
func (i *Instance) lockDatabase(data, path string, flags int) (err error) {
	i.database, err = lockFile(path, flags)
	if errors.Is(err, errLocked) {
		return otherServer(data)
	}
	return err
}

// realPath follows symbolic links: SQLite keeps the log beside the file itself.
func realPath(path string) (string, error) {
	found, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, nil
	}
	return found, err
}

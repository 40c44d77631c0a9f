package instance

import (
	"fmt"
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
		return nil, fmt.Errorf(
			"another keysake is running on %s: stop it, or choose another --data", dir)
	}
	return lock, nil
}

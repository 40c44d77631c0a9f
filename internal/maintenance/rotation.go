package maintenance

import (
	"context"
	"errors"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// ErrRotating means that another rotation is running on the same database.
var ErrRotating = errors.New(
	"another rotation is running on this database: wait until it has finished")

// withRotationLock opens a data folder, whose server may be running, and calls rotate while no
// other rotation can run on it.
func withRotationLock(
	ctx context.Context, cfg config.Config, keys *instance.Keys,
	rotate func(*instance.Instance) error,
) (err error) {
	i, err := instance.Open(ctx, cfg, keys, instance.Shared)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	unlock, locked, err := i.TryLockRotation(ctx)
	if err != nil {
		return instance.CannotOpen(err)
	}
	if !locked {
		return ErrRotating
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return rotate(i)
}

// copyKeysFile is the next step where servers on other machines have copies of the keys file.
func copyKeysFile(cfg config.Config) string {
	path, err := cfg.KeysFile()
	if err != nil {
		path = "the keys file"
	}
	return "copy " + path + " to every other server of the database"
}

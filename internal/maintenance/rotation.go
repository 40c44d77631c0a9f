package maintenance

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// rotationFile is the file in a data folder that a rotation locks while it runs.
const rotationFile = "keysake.rotate.lock"

// ErrRotating means that another rotation is running on the same data folder.
var ErrRotating = errors.New(
	"another rotation is running on this data folder: wait until it has finished")

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
	lock := flock.New(filepath.Join(cfg.Data, rotationFile), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err != nil {
		return instance.CannotOpen(err)
	}
	if !locked {
		return ErrRotating
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	return rotate(i)
}

package maintenance

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// rotationFile is locked while a rotation runs.
const rotationFile = "keysake.rotate.lock"

// ErrRotating says that another rotation runs on the same folder.
var ErrRotating = errors.New("another rotation is running on this folder: wait for its end")

// withRotationLock opens a folder beside a server, keeps other rotations out, and does it.
func withRotationLock(
	ctx context.Context,
	cfg config.Config,
	roots *instance.RootKeys,
	do func(*instance.Instance, *flock.Flock) error,
) (err error) {
	i, err := instance.Open(ctx, cfg, slog.New(slog.DiscardHandler), roots, instance.Shared)
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
	return do(i, lock)
}

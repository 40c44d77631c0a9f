package maintenance

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// RotateOwnerKeys gives one user, by name or id, a new owner key, and seals all values of that user
// with it. If user is empty it does so for every user. Servers may be running. An interrupted
// rotation continues with the same call. It returns the number of users who got a new key, and
// calls progress as that number grows. The errors are those of [RotateRootKey].
func RotateOwnerKeys(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, user string,
	progress func(done, total int),
) (rotated int, err error) {
	roots := instance.NewKeys(cfg, ask)
	err = withRotationLock(ctx, cfg, roots, func(i *instance.Instance, lock *flock.Flock) error {
		if user != "" {
			err := rotateOwnerKey(ctx, i, user)
			if err == nil {
				rotated = 1
			}
			return err
		}
		began, err := resumeTime(lock)
		if err != nil {
			return err
		}
		err = i.Operator.RotateOwnerKeys(ctx, began, func(done, total int) {
			rotated = done
			progress(done, total)
		})
		if err == nil {
			err = saveResumeTime(lock, "")
		}
		return err
	})
	return rotated, err
}

func rotateOwnerKey(ctx context.Context, i *instance.Instance, user string) error {
	id, err := i.Operator.FindUser(ctx, user)
	if errors.Is(err, vault.ErrNotFound) {
		return errors.New(`no such user: "keysake users list" shows them all`)
	}
	if err != nil {
		return err
	}
	return i.Operator.RotateOwnerKey(ctx, id)
}

// resumeWindow is how long an interrupted rotation of all owner keys can be continued. After that a
// new one begins: a rotation because of a leak must not skip the users whose keys were replaced
// long before the leak.
const resumeWindow = 24 * time.Hour

// resumeTime returns when the interrupted rotation of all owner keys began, or begins a new one.
// The lock's file holds the time until the rotation is complete.
func resumeTime(lock *flock.Flock) (time.Time, error) {
	text, err := os.ReadFile(lock.Path())
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	began, err := time.Parse(time.RFC3339Nano, string(text))
	if err == nil && now.Sub(began) < resumeWindow {
		return began, nil
	}
	return now, saveResumeTime(lock, now.Format(time.RFC3339Nano))
}

// saveResumeTime stores the time, or clears it. It does not replace the file, which is locked.
func saveResumeTime(lock *flock.Flock, text string) error {
	return os.WriteFile(lock.Path(), []byte(text), 0o600)
}

package maintenance

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/vault"
)

// RotateOwnerKeys gives the user of that name or id a new owner key, or every user if it is empty,
// and seals everything of theirs with it. It works beside servers that serve. It may be stopped at
// any point; the same call then goes on. It returns how many users have a new key. The errors are
// those of [RotateRootKey].
func RotateOwnerKeys(
	ctx context.Context,
	cfg config.Config,
	ask instance.Passphrase,
	user string,
	progress func(done, total int),
) (rotated int, err error) {
	err = withRotationLock(ctx, cfg, instance.NewRootKeys(cfg, ask), func(i *instance.Instance, lock *flock.Flock) error {
		if user != "" {
			id, err := i.Operator.FindUser(ctx, user)
			if errors.Is(err, vault.ErrNotFound) {
				return errors.New(`there is no such user: "keysake users list" shows all`)
			}
			if err == nil {
				err = i.Operator.RotateOwnerKey(ctx, id)
			}
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

// resumeWindow is how long a rotation of all owner keys that was cut short is gone on with. After that
// the keys which it made are old enough to be rotated again: who starts one after a leak must not
// have it end where another one stopped months ago.
const resumeWindow = 24 * time.Hour

// resumeTime returns when the rotation of all owner keys began that is to go on, or begins one. The
// time stands in the lock's file as long as it is not at its end.
func resumeTime(lock *flock.Flock) (time.Time, error) {
	text, err := os.ReadFile(lock.Path())
	if err != nil {
		return time.Time{}, err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	if at, err := time.Parse(
		time.RFC3339Nano,
		string(text),
	); err == nil &&
		now.Sub(at) < resumeWindow {
		return at, nil // else there is none, or its note was cut short before anything was done
	}
	return now, saveResumeTime(lock, now.Format(time.RFC3339Nano))
}

// saveResumeTime writes the note, or clears it. The file stays the same one: it is locked.
func saveResumeTime(lock *flock.Flock, text string) error {
	return os.WriteFile(lock.Path(), []byte(text), 0o600)
}

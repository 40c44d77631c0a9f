package maintenance

import (
	"context"
	"errors"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/vault"
)

// RotateOwnerKeys gives one user, by name or id, a new owner key, and seals all values of that user
// with it. If user is empty it does so for every user. Servers may be running. An interrupted
// rotation begins anew with the same call. It returns of how many users it was, and calls progress
// as that number grows. The errors are those of [RotateRootKey].
func RotateOwnerKeys(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, user string,
	progress func(done, total int),
) (rotated int, err error) {
	roots := instance.NewKeys(cfg, ask)
	err = withRotationLock(ctx, cfg, roots, func(i *instance.Instance) error {
		if user != "" {
			err := rotateOwnerKey(ctx, i, user)
			if err == nil {
				rotated = 1
			}
			return err
		}
		return i.Operator.RotateOwnerKeys(ctx, func(done, total int) {
			rotated = done
			progress(done, total)
		})
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

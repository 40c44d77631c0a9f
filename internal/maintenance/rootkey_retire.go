package maintenance

import (
	"context"
	"errors"
	"strings"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
)

// RetireRootKey records that a root key is not required any more, after it has opened every owner
// key without it. The id may be abbreviated. The errors are those of [RotateRootKey].
func RetireRootKey(ctx context.Context, cfg config.Config, ask rootkey.Ask, id string) error {
	roots := instance.NewRootKeys(cfg, ask)
	return withRotationLock(ctx, cfg, roots, func(i *instance.Instance, _ *flock.Flock) error {
		key, err := findRootKey(ctx, i, id)
		if err != nil {
			return err
		}
		return i.Operator.RetireRootKey(ctx, key)
	})
}

// findRootKey returns the id of the one root key whose id begins with prefix.
func findRootKey(
	ctx context.Context, i *instance.Instance, prefix string,
) (found uuid.UUID, err error) {
	keys, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return found, err
	}
	n := 0
	for _, k := range keys {
		if prefix != "" && strings.HasPrefix(k.ID.String(), strings.ToLower(prefix)) {
			found, n = k.ID, n+1
		}
	}
	switch n {
	case 0:
		return found, errors.New(`no such root key: "keysake root-key status" shows them all`)
	case 1:
		return found, nil
	}
	return found, errors.New("the IDs of several root keys begin like that: give more of it")
}

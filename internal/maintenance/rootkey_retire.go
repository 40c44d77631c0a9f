package maintenance

import (
	"context"
	"errors"
	"strings"

	"github.com/gofrs/flock"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
)

// RetireRootKey notes that a root key is needed no more, after it has opened every owner key
// without it.
func RetireRootKey(ctx context.Context, cfg config.Config, ask instance.Passphrase, id string) error {
	return withRotationLock(ctx, cfg, instance.NewRootKeys(cfg, ask), func(i *instance.Instance, _ *flock.Flock) error {
		key, err := findRootKey(ctx, i, id)
		if err != nil {
			return err
		}
		return i.Operator.RetireRootKey(ctx, key)
	})
}

// findRootKey finds a root key by its id, or by how its id begins.
func findRootKey(
	ctx context.Context, i *instance.Instance, id string,
) (found uuid.UUID, err error) {
	keys, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return found, err
	}
	n := 0
	for _, k := range keys {
		if id != "" && strings.HasPrefix(k.ID.String(), strings.ToLower(id)) {
			found, n = k.ID, n+1
		}
	}
	switch n {
	case 0:
		return found, errors.New(`there is no such root key: "keysake root-key status" shows all`)
	case 1:
		return found, nil
	}
	return found, errors.New("several root keys begin so: give more of the ID")
}

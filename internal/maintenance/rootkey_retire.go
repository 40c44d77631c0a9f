package maintenance

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
)

// RetireRootKey takes a root key that wraps nothing any more out of the database and the keys file,
// after it has opened every owner key without it. The id may be abbreviated. It returns what is to
// be done next, if anything is. The errors are those of [RotateRootKey].
func RetireRootKey(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, id string,
) (next string, err error) {
	keys := instance.NewKeys(cfg, ask)
	err = withRotationLock(ctx, cfg, keys, func(i *instance.Instance) error {
		key, err := findRootKey(ctx, i, id)
		if err != nil {
			return err
		}
		if key.State == statePrimary || key.CreatedAt != nil {
			err = i.Operator.RetireRootKey(ctx, uuid.MustParse(key.ID))
		}
		if err != nil || key.URL == "" {
			return err
		}
		if len(cfg.RootKeys) > 0 {
			next = "take --root-key " + key.URL + " out of the flags of every server"
			return nil
		}
		if cfg.DatabaseURL != "" {
			next = copyKeysFile(cfg)
		}
		return i.Keys.ChangeRootKeys(func(named []string) []string {
			return without(named, key.URL)
		})
	})
	return next, err
}

// findRootKey returns the one root key whose id begins with prefix.
func findRootKey(
	ctx context.Context, i *instance.Instance, prefix string,
) (found RootKey, err error) {
	known, err := i.Operator.ListRootKeys(ctx)
	if err != nil {
		return found, err
	}
	urls, _, err := i.Keys.Named()
	if err != nil {
		return found, err
	}
	n := 0
	for _, k := range listRootKeys(ctx, i.Keys, urls, known) {
		if prefix != "" && strings.HasPrefix(k.ID, strings.ToLower(prefix)) {
			found, n = k, n+1
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

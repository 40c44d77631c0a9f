package instance

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// An OpenedRootKey is a root key that wraps something, or the reason why it does not open.
type OpenedRootKey struct {
	vault.StoredRootKey

	Err error

	root seal.RootKey
}

// OpenRequired opens every root key that wraps an owner key, with its check value.
func (k *Keys) OpenRequired(ctx context.Context, known []vault.StoredRootKey) []OpenedRootKey {
	var all []OpenedRootKey
	for _, s := range known {
		if s.OwnerKeys == 0 {
			continue
		}
		o := OpenedRootKey{StoredRootKey: s}
		if o.root, o.Err = k.OpenRootKey(ctx, s); o.Err == nil {
			o.Err = o.root.OpenCheck(ctx, s.Check)
		}
		all = append(all, o)
	}
	return all
}

// ByID returns the root keys that are open, and an error that names the others.
func ByID(all []OpenedRootKey) (map[uuid.UUID]seal.RootKey, error) {
	open := map[uuid.UUID]seal.RootKey{}
	var errs []error
	for _, o := range all {
		if o.Err == nil {
			open[o.ID] = o.root
			continue
		}
		errs = append(errs, fmt.Errorf("root key %s, which wraps %d owner keys, does not open: %w",
			o.ID, o.OwnerKeys, o.Err))
	}
	return open, errors.Join(errs...)
}

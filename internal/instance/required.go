package instance

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// An OpenedRootKey is a required root key, or the reason why it does not open.
type OpenedRootKey struct {
	vault.StoredRootKey

	FoundAt string // its URL; not always that of the database
	Err     error

	root seal.RootKey
}

// OpenRequired opens every root key that is still required, with its check value. It tries the URL
// of --root-key first, then the one that the database remembers.
func (r *RootKeys) OpenRequired(ctx context.Context, keys []vault.StoredRootKey) []OpenedRootKey {
	var all []OpenedRootKey
	for _, k := range keys {
		if k.Required() {
			all = append(all, r.openRequired(ctx, k))
		}
	}
	return all
}

func (r *RootKeys) openRequired(ctx context.Context, k vault.StoredRootKey) OpenedRootKey {
	o := OpenedRootKey{StoredRootKey: k}
	var configuredErr error
	if r.configured != "" {
		o.FoundAt = r.configured
		if o.root, configuredErr = r.openChecked(ctx, k, r.configured); configuredErr == nil {
			return o
		}
	}
	o.FoundAt = k.URL
	o.root, o.Err = r.openChecked(ctx, k, k.URL)
	if o.Err != nil && configuredErr != nil {
		o.Err = fmt.Errorf("%w; --root-key %s: %w", o.Err, r.configured, configuredErr)
	}
	return o
}

// openChecked opens a root key and its check value.
func (r *RootKeys) openChecked(
	ctx context.Context, k vault.StoredRootKey, url string,
) (seal.RootKey, error) {
	root, err := r.Opener.Open(ctx, location(k, url))
	if err == nil {
		err = root.OpenCheck(ctx, k.Check)
	}
	if err != nil {
		return nil, err
	}
	return root, nil
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
		errs = append(errs, fmt.Errorf(
			"root key %s, expected at %s, does not open: %w", o.ID, o.URL, o.Err))
	}
	return open, errors.Join(errs...)
}

// Holds reports whether --root-key names a file that holds that root key, and returns its path.
func (r *RootKeys) Holds(k vault.StoredRootKey) (path string, holds bool) {
	path, isFile := rootkey.FilePath(r.configured)
	if !isFile {
		return "", false
	}
	root, err := rootkey.ReadKeyFile(path)
	return path, err == nil && root.ID() == k.ID
}

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

// An OpenedRootKey is a root key that is still required: where it was found, or why it does not
// open.
type OpenedRootKey struct {
	vault.StoredRootKey

	FoundAt string
	Err     error

	root seal.RootKey
}

// OpenRequired opens every root key that is still required, and its check value: with the URL that
// --root-key names where that is the key, else where the database remembers it.
func (r *RootKeys) OpenRequired(ctx context.Context, keys []vault.StoredRootKey) []OpenedRootKey {
	var all []OpenedRootKey
	for _, k := range keys {
		if !k.Needed() {
			continue
		}
		o := OpenedRootKey{StoredRootKey: k}
		var first error
		if r.configured != "" {
			o.FoundAt = r.configured
			o.root, first = r.openAt(ctx, k, r.configured)
		}
		if o.root == nil {
			o.FoundAt = k.URL
			o.root, o.Err = r.openAt(ctx, k, k.URL)
		}
		if o.Err != nil && first != nil {
			o.Err = fmt.Errorf("%w; --root-key %s: %w", o.Err, r.configured, first)
		}
		all = append(all, o)
	}
	return all
}

// openAt opens a root key and its check value.
func (r *RootKeys) openAt(
	ctx context.Context, k vault.StoredRootKey, url string,
) (seal.RootKey, error) {
	root, err := r.Opener.Open(ctx, rootkey.Location{ID: k.ID, URL: url, Params: k.Params})
	if err == nil {
		err = root.OpenCheck(ctx, k.Check)
	}
	if err != nil {
		return nil, err
	}
	return root, nil
}

// ByID returns the root keys that are open, and why the others are not.
func ByID(all []OpenedRootKey) (map[uuid.UUID]seal.RootKey, error) {
	open := map[uuid.UUID]seal.RootKey{}
	var errs []error
	for _, o := range all {
		if o.Err != nil {
			errs = append(
				errs,
				fmt.Errorf("root key %s, remembered at %s, does not open: %w", o.ID, o.URL, o.Err),
			)
			continue
		}
		open[o.ID] = o.root
	}
	return open, errors.Join(errs...)
}

// Holds reports whether the file that --root-key names, if it names one, holds that root key, and
// returns its path.
func (r *RootKeys) Holds(k vault.StoredRootKey) (path string, holds bool) {
	path, isFile := rootkey.FilePath(r.configured)
	if !isFile {
		return "", false
	}
	root, err := rootkey.ReadKeyFile(path)
	return path, err == nil && root.ID() == k.ID
}

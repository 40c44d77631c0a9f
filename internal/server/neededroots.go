package server

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
)

// An openedRoot is a root key that is still needed: where it was found, or why it does not open.
type openedRoot struct {
	backup.RootKey

	url  string
	root seal.RootKey
	err  error
}

// openNeeded opens every root key that is still needed, and its check value: with the URL that
// --root-key names where that is the key, else where the database remembers it.
func (r *rootKeys) openNeeded(ctx context.Context, keys []backup.RootKey) []openedRoot {
	var all []openedRoot
	for _, k := range keys {
		if !k.Needed() {
			continue
		}
		o := openedRoot{RootKey: k}
		var first error
		if r.given != "" {
			o.url = r.given
			o.root, first = r.openAt(ctx, k, r.given)
		}
		if o.root == nil {
			o.url = k.URL
			o.root, o.err = r.openAt(ctx, k, k.URL)
		}
		if o.err != nil && first != nil {
			o.err = fmt.Errorf("%w; --root-key %s: %w", o.err, r.given, first)
		}
		all = append(all, o)
	}
	return all
}

// openAt opens a root key and its check value.
func (r *rootKeys) openAt(ctx context.Context, k backup.RootKey, url string) (seal.RootKey, error) {
	root, err := r.opener.Open(ctx, rootkey.Ref{ID: k.ID, URL: url, Params: k.Params})
	if err == nil {
		err = root.OpenCheck(ctx, k.Check)
	}
	if err != nil {
		return nil, err
	}
	return root, nil
}

// rootsByID returns the root keys that are open, and why the others are not.
func rootsByID(all []openedRoot) (map[uuid.UUID]seal.RootKey, error) {
	open := map[uuid.UUID]seal.RootKey{}
	var errs []error
	for _, o := range all {
		if o.err != nil {
			errs = append(
				errs,
				fmt.Errorf("root key %s, remembered at %s, does not open: %w", o.ID, o.URL, o.err),
			)
			continue
		}
		open[o.ID] = o.root
	}
	return open, errors.Join(errs...)
}

// wholeURL makes the path of a file: URL absolute: whoever opens it later may be elsewhere.
func wholeURL(url string) (string, error) {
	path, isFile := rootkey.FilePath(url)
	if !isFile {
		return url, nil
	}
	path, err := filepath.Abs(path)
	return "file:" + path, err
}

package instance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// A Passphrase asks a person for the passphrase of a root key. It may be nil where there is no
// person.
type Passphrase = rootkey.Ask

// RootKeys finds root keys: the one that --root-key names, and those that the database remembers.
type RootKeys struct {
	Opener *rootkey.Opener

	configured     string      // --root-key; empty if it was not given
	primaryChecked atomic.Bool // from then on --root-key need not be the primary
}

// NewRootKeys returns the root keys as the configuration names them. ask may be nil.
func NewRootKeys(cfg config.Config, ask Passphrase) *RootKeys {
	return &RootKeys{
		configured: cfg.RootKey,
		Opener: &rootkey.Opener{
			Source: &rootkey.Source{
				File: cfg.RootPassphraseFile, FD: cfg.RootPassphraseFD, Ask: ask,
			},
			ServiceTimeout: cfg.KeyServiceTimeout,
		},
	}
}

// open finds a root key of the database. At a server's start the primary must be the key that
// --root-key names, if it does: a wrong one is never passed over. A primary that another process
// makes later is where the database says.
func (r *RootKeys) open(ctx context.Context, k vault.StoredRootKey) (seal.RootKey, error) {
	var first error
	if r.configured != "" {
		root, err := r.Opener.Open(ctx, rootkey.Location{ID: k.ID, URL: r.configured, Params: k.Params})
		if err == nil {
			return root, nil
		}
		first = fmt.Errorf("--root-key %s: %w", r.configured, err)
		if k.State == vault.Primary && !r.primaryChecked.Load() {
			return nil, wrongPrimary(first, k)
		}
	}
	root, err := r.Opener.Open(ctx, rootkey.Location{ID: k.ID, URL: k.URL, Params: k.Params})
	if err == nil {
		return root, nil
	}
	err = fmt.Errorf("%s, where the database remembers it: %w", k.URL, err)
	if first != nil && !errors.Is(first, rootkey.ErrNoSuchKey) {
		err = fmt.Errorf("%w; %w", first, err)
	}
	return nil, err
}

// wrongPrimary tells who names another key than the primary how the primary is found.
func wrongPrimary(err error, k vault.StoredRootKey) error {
	if errors.Is(err, rootkey.ErrNoSuchKey) {
		return fmt.Errorf(
			"%w; the database remembers it at %s: leave --root-key out, or name that",
			err,
			k.URL,
		)
	}
	return err
}

// create makes the first root key of a database.
func (r *RootKeys) create(ctx context.Context, cfg config.Config, v *vault.Operator) error {
	url := cfg.RootKey
	if url == "" {
		var err error
		if url, err = cfg.DefaultRootKey(); err != nil {
			return err
		}
	}
	root, ref, err := r.Opener.Create(ctx, url)
	if err != nil {
		return err
	}
	return v.AddRootKey(ctx, root, ref.URL, ref.Params)
}

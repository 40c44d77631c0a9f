package instance

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/kmspipe"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// RootKeys finds the root keys of a database: at the URL of --root-key, or at the URL that the
// database remembers.
type RootKeys struct {
	Opener *rootkey.Opener

	configured     string      // the URL of --root-key; empty without it
	primaryChecked atomic.Bool // if set, --root-key may name another key than the primary
}

// NewRootKeys returns the root keys as the configuration names them. ask may be nil.
func NewRootKeys(cfg config.Config, ask rootkey.Ask) *RootKeys {
	return &RootKeys{
		configured: cfg.RootKey,
		Opener: &rootkey.Opener{
			Source: &rootkey.Source{
				File: cfg.RootPassphraseFile, FD: cfg.RootPassphraseFD, Ask: ask,
			},
			ServiceTimeout: cfg.KeyServiceTimeout,
			Helper:         kmspipe.Helper{Path: cfg.KMSHelper},
		},
	}
}

// open opens a root key of the database. When a server starts, the primary must be the key that
// --root-key names: a wrong URL there is an error, never ignored. A primary that another process
// makes later is opened at the URL that the database has.
func (r *RootKeys) open(ctx context.Context, k vault.StoredRootKey) (seal.RootKey, error) {
	var configuredErr error
	if r.configured != "" {
		root, err := r.Opener.Open(ctx, location(k, r.configured))
		if err == nil {
			return root, nil
		}
		configuredErr = fmt.Errorf("--root-key %s: %w", r.configured, err)
		if k.State == vault.Primary && !r.primaryChecked.Load() {
			return nil, wrongPrimary(configuredErr, k)
		}
	}
	root, err := r.Opener.Open(ctx, location(k, k.URL))
	if err == nil {
		return root, nil
	}
	err = fmt.Errorf("%s, where the database expects it: %w", k.URL, err)
	if configuredErr != nil && !errors.Is(configuredErr, rootkey.ErrNoSuchKey) {
		err = fmt.Errorf("%w; %w", configuredErr, err)
	}
	return nil, err
}

func location(k vault.StoredRootKey, url string) rootkey.Location {
	return rootkey.Location{ID: k.ID, URL: url, Params: k.Params}
}

// wrongPrimary adds where the primary is, if err says that --root-key names another key.
func wrongPrimary(err error, k vault.StoredRootKey) error {
	if !errors.Is(err, rootkey.ErrNoSuchKey) {
		return err
	}
	return fmt.Errorf(
		"%w; the database expects it at %s: omit --root-key, or give that URL", err, k.URL)
}

// create creates the first root key of a database.
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

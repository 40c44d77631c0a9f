package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/keysfile"
	"github.com/keysake/keysake/internal/kmspipe"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
)

// Keys are the keys that the configuration names, and no others: those of --root-key and
// --instance-key, and in the place of a flag that is not given those of the keys file. The file is
// read again each time, so that a change reaches a running server.
//
// It implements [vault.Configuration].
type Keys struct {
	Opener *rootkey.Opener

	cfg config.Config

	mu       sync.Mutex
	believed []uuid.UUID          // instance keys, in the place of those of the configuration
	last     *keysfile.File       // as it was last read; nil before
	ids      map[string]uuid.UUID // of root keys, by URL, where they are known
}

// NewKeys returns the keys as the configuration names them. ask may be nil.
func NewKeys(cfg config.Config, ask rootkey.Ask) *Keys {
	return &Keys{
		cfg: cfg,
		ids: map[string]uuid.UUID{},
		Opener: &rootkey.Opener{
			Source: &rootkey.Source{
				File: cfg.RootPassphraseFile, FD: cfg.RootPassphraseFD, Ask: ask,
			},
			ServiceTimeout: cfg.KeyServiceTimeout,
			Helper:         kmspipe.Helper{Path: cfg.KMSHelper},
		},
	}
}

// Named returns the URLs of the root keys and the ids of the instance keys that are named now. A
// file that cannot be read any more counts as it was last read.
func (k *Keys) Named() (rootKeys []string, instanceKeys []uuid.UUID, err error) {
	rootKeys, instanceKeys = k.cfg.RootKeys, k.cfg.InstanceKeys
	k.mu.Lock()
	if len(k.believed) > 0 {
		instanceKeys = k.believed
	}
	k.mu.Unlock()
	if len(rootKeys) > 0 && len(instanceKeys) > 0 {
		return rootKeys, instanceKeys, nil
	}
	f, err := k.read()
	if err != nil {
		return nil, nil, err
	}
	if len(rootKeys) == 0 {
		rootKeys = f.RootKeys
	}
	if len(instanceKeys) == 0 {
		instanceKeys = f.InstanceKeys
	}
	return rootKeys, instanceKeys, nil
}

// read reads the keys file. One that does not exist names nothing.
func (k *Keys) read() (keysfile.File, error) {
	path, err := k.cfg.KeysFile()
	if err != nil {
		return keysfile.File{}, err
	}
	f, err := keysfile.Read(path)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.last = &f
	case k.last != nil:
		return *k.last, nil
	case errors.Is(err, fs.ErrNotExist):
		return f, nil
	}
	return f, err
}

// checkFile returns why the keys file cannot be read, if it was read before.
func (k *Keys) checkFile() error {
	path, err := k.cfg.KeysFile()
	if err != nil {
		return err
	}
	_, err = keysfile.Read(path)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.last == nil {
		return nil // the flags name all keys
	}
	return err
}

// errNoRootKey says that the configuration names no root key.
func (k *Keys) errNoRootKey() error {
	path, err := k.cfg.KeysFile()
	if err != nil {
		return err
	}
	dev := k.cfg.DevKeysFile()
	if _, err := os.Stat(dev); err == nil && path != dev {
		return fmt.Errorf("no root key is named in %s: for a folder of --dev, give --keys %s",
			path, dev)
	}
	return fmt.Errorf(
		"no root key is named: give the keys file with --keys, or --root-key (%s names none)", path)
}

// FirstRootKey implements [vault.Configuration].
func (k *Keys) FirstRootKey(
	ctx context.Context, known []vault.StoredRootKey,
) (uuid.UUID, error) {
	urls, _, err := k.Named()
	if err != nil {
		return uuid.Nil, err
	}
	if len(urls) == 0 {
		return uuid.Nil, k.errNoRootKey()
	}
	return k.RootKeyID(ctx, urls[0], known)
}

// RootKeyID returns the id of the root key at a URL. It reads a key file the first time, and asks
// no service.
func (k *Keys) RootKeyID(
	ctx context.Context, url string, known []vault.StoredRootKey,
) (uuid.UUID, error) {
	k.mu.Lock()
	id, found := k.ids[url]
	k.mu.Unlock()
	if found {
		return id, nil
	}
	if rootkey.IsPassphrase(url) {
		return passphraseID(url, known)
	}
	root, err := k.Opener.Open(ctx, rootkey.Location{URL: url})
	if err != nil {
		return uuid.Nil, err
	}
	k.keepID(url, root.ID())
	return root.ID(), nil
}

func (k *Keys) keepID(url string, id uuid.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.ids[url] = id
}

// passphraseID returns the id in the URL of a passphrase. Without one, the database must know only
// one such key: it must not choose.
func passphraseID(url string, known []vault.StoredRootKey) (uuid.UUID, error) {
	id := rootkey.PassphraseID(url)
	if id != uuid.Nil {
		return id, nil
	}
	for _, s := range known {
		switch {
		case s.Params == "":
		case id != uuid.Nil:
			return uuid.Nil, errors.New("several root keys were made of a passphrase: " +
				"name one of them as passphrase:ID")
		default:
			id = s.ID
		}
	}
	if id == uuid.Nil {
		return uuid.Nil, errors.New("no root key was made of a passphrase yet")
	}
	return id, nil
}

// OpenRootKey implements [vault.Configuration].
func (k *Keys) OpenRootKey(ctx context.Context, s vault.StoredRootKey) (seal.RootKey, error) {
	urls, _, err := k.Named()
	if err != nil {
		return nil, err
	}
	var failed error
	for _, url := range urls {
		root, err := k.Opener.Open(ctx, rootkey.Location{ID: s.ID, URL: url, Params: s.Params})
		switch {
		case err == nil:
			if !rootkey.IsPassphrase(url) {
				k.keepID(url, root.ID())
			}
			return root, nil
		case errors.Is(err, rootkey.ErrNoSuchKey):
		case failed == nil:
			failed = fmt.Errorf("%s: %w", url, err)
		default:
			failed = fmt.Errorf("%w; %s: %w", failed, url, err)
		}
	}
	if failed == nil {
		failed = vault.ErrNotConfigured
	}
	return nil, failed
}

// InstanceKeys implements [vault.Configuration].
func (k *Keys) InstanceKeys() ([]uuid.UUID, error) {
	_, ids, err := k.Named()
	if err == nil && len(ids) == 0 {
		err = errors.New("no instance key is named: give the keys file with --keys, or " +
			"--instance-key")
	}
	return ids, err
}

// Believe names instance keys in the place of those of the configuration. The first signs.
func (k *Keys) Believe(ids ...uuid.UUID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.believed = ids
}

// WriteFile makes the keys file beside the data folder name what is named now, and returns its
// path. What it named before stays in it as comments.
func (k *Keys) WriteFile() (string, error) {
	beside := k.cfg
	beside.Keys = ""
	path, err := beside.KeysFile()
	if err != nil {
		return "", err
	}
	urls, ids, err := k.Named()
	if err != nil {
		return "", err
	}
	named := make([]string, len(urls))
	for n, url := range urls {
		if named[n], err = rootkey.AbsoluteURL(url); err != nil {
			return "", err
		}
	}
	f, err := keysfile.Read(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return path, f.With(named, ids, time.Now()).Write(path)
}

// ChangeRootKeys changes the root keys that the keys file names. Those that it names no more stay
// in it as comments.
func (k *Keys) ChangeRootKeys(change func(named []string) []string) error {
	return k.changeFile(func(f *keysfile.File) { f.RootKeys = change(f.RootKeys) })
}

// ChangeInstanceKeys is ChangeRootKeys for instance keys.
func (k *Keys) ChangeInstanceKeys(change func(named []uuid.UUID) []uuid.UUID) error {
	return k.changeFile(func(f *keysfile.File) { f.InstanceKeys = change(f.InstanceKeys) })
}

// changeFile writes the keys file with the lists that change puts in the place of its own.
func (k *Keys) changeFile(change func(*keysfile.File)) error {
	path, err := k.cfg.KeysFile()
	if err != nil {
		return err
	}
	f, err := keysfile.Read(path)
	if err != nil {
		return err
	}
	next := f
	change(&next)
	if slices.Equal(next.RootKeys, f.RootKeys) &&
		slices.Equal(next.InstanceKeys, f.InstanceKeys) {
		return nil
	}
	return f.With(next.RootKeys, next.InstanceKeys, time.Now()).Write(path)
}

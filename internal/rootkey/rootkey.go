// Package rootkey opens root keys by their URLs: file:PATH, passphrase:, and the key services that
// gocloud.dev/secrets speaks.
//
// A URL never has anything secret in it; the database remembers it, so that a server finds the key
// by itself.
package rootkey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

// A Location is where a root key is, as the database remembers it.
type Location struct {
	ID     uuid.UUID // nil where it is not known yet
	URL    string
	Params string // of a passphrase: how it becomes a key; empty for others
}

// The schemes that are not key services.
const fileScheme = "file:"

// PassphraseURL is the whole URL of a root key that is made of a passphrase.
const PassphraseURL = "passphrase:"

// ErrScheme says that a URL is none of a root key.
var ErrScheme = errors.New(
	"a root key's URL is file:PATH, passphrase:, awskms://…, gcpkms://…, azurekeyvault://… or hashivault://…",
)

// ErrCredentials says that a URL has in it what would be remembered and shown.
var ErrCredentials = errors.New(
	"a root key's URL must have no credentials in it: the key service's own variables are the place for them",
)

// ErrNoSuchKey says that what the URL names opens, and is another key than the one that is needed.
var ErrNoSuchKey = errors.New("that is another root key")

// An Opener opens root keys. It is safe for concurrent use.
type Opener struct {
	// Passphrases returns the passphrases to try, in order, until there is an error.
	Passphrases func(ctx context.Context) iter.Seq2[Passphrase, error]
	// NewPassphrase returns the passphrase of a root key that is to be made.
	NewPassphrase func(ctx context.Context) (Passphrase, error)
	// ServiceTimeout is how long a key service may take in all; 0 is [DefaultServiceTimeout].
	ServiceTimeout time.Duration
}

// Check tells whether a URL is of a form that [Opener.Open] knows, without opening it.
func Check(url string) error {
	switch {
	case strings.HasPrefix(url, fileScheme) && len(url) > len(fileScheme), url == PassphraseURL:
		return nil
	case isService(url):
		return checkService(url)
	}
	return ErrScheme
}

// Open returns the root key that loc names. With an ID in loc, any other key is [ErrNoSuchKey]. No
// error has anything of a key or a passphrase.
func (o *Opener) Open(ctx context.Context, loc Location) (seal.RootKey, error) {
	switch {
	case strings.HasPrefix(loc.URL, fileScheme):
		root, err := ReadKeyFile(filePath(loc.URL))
		if err != nil {
			return nil, err
		}
		return checkID(loc, root)
	case loc.URL == PassphraseURL:
		return o.openPassphrase(ctx, loc)
	case isService(loc.URL):
		root, err := o.openService(ctx, loc.URL)
		if err != nil {
			return nil, err
		}
		return checkID(loc, root)
	}
	return nil, ErrScheme
}

// Create returns the root key of a URL for a database that does not know it yet, and how to find it
// again. A key file that is missing is made; one that is there is used as it is.
func (o *Opener) Create(ctx context.Context, url string) (seal.RootKey, Location, error) {
	loc := Location{URL: url}
	root, err := o.create(ctx, &loc)
	if err != nil {
		return nil, Location{}, err
	}
	loc.ID = root.ID()
	return root, loc, nil
}

func (o *Opener) create(ctx context.Context, loc *Location) (seal.RootKey, error) {
	switch {
	case strings.HasPrefix(loc.URL, fileScheme):
		path, err := filepath.Abs(filePath(loc.URL)) // whoever opens it later may be elsewhere
		if err != nil {
			return nil, err
		}
		loc.URL = fileScheme + path
		root, err := ReadKeyFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return CreateKeyFile(path)
		}
		return root, err
	case loc.URL == PassphraseURL:
		return o.newPassphrase(ctx, loc)
	}
	return o.Open(ctx, *loc)
}

// wanted holds a key against the id in loc.
func checkID(loc Location, root seal.RootKey) (seal.RootKey, error) {
	if loc.ID != uuid.Nil && root.ID() != loc.ID {
		return nil, fmt.Errorf("%w: %s is root key %s", ErrNoSuchKey, loc.URL, root.ID())
	}
	return root, nil
}

func filePath(url string) string { return filepath.Clean(strings.TrimPrefix(url, fileScheme)) }

// FilePath returns the path of a file: URL.
func FilePath(url string) (path string, isFile bool) {
	if !strings.HasPrefix(url, fileScheme) {
		return "", false
	}
	return filePath(url), true
}

// Package rootkey opens root keys by their URLs: file:PATH, passphrase:, and key services. It asks
// Vault and OpenBao itself, and the clouds through a program of their own.
//
// A URL holds no secret. URLs come from the configuration, never from a database or a backup.
package rootkey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/kmspipe"
	"github.com/keysake/keysake/internal/seal"
)

// A Location says which root key is needed, and where to look for it.
type Location struct {
	ID     uuid.UUID // nil for whichever is there
	URL    string
	Params string // how a passphrase becomes the key; empty for other keys
}

// ErrNoSuchKey means that the URL names another key than the one that is needed.
var ErrNoSuchKey = errors.New("that is another root key")

// An Opener opens and creates root keys. It is safe for concurrent use.
type Opener struct {
	Source    *Source // passphrases to try; nil for none
	NewSource *Source // passphrase of a new root key; nil if it comes from Source
	// ServiceTimeout bounds a request to a key service with all its retries.
	// 0 means [DefaultServiceTimeout].
	ServiceTimeout time.Duration
	Helper         kmspipe.Helper // asks the clouds
}

// Close ends the program that asks the clouds, if it runs.
func (o *Opener) Close() { o.Helper.Close() }

// Open returns the root key at a location. [ErrNoSuchKey]: loc.ID is set and there is another key.
// The errors of [Check]: the URL is refused, and nothing was asked or read.
// No error shows anything of a key or passphrase.
func (o *Opener) Open(ctx context.Context, loc Location) (seal.RootKey, error) {
	if err := Check(loc.URL); err != nil {
		return nil, err
	}
	if IsPassphrase(loc.URL) {
		return o.openPassphrase(ctx, loc)
	}
	var root seal.RootKey
	var err error
	if path, isFile := FilePath(loc.URL); isFile {
		root, err = ReadKeyFile(path)
	} else {
		root, err = o.openService(loc.URL)
	}
	if err != nil {
		return nil, err
	}
	if loc.ID != uuid.Nil && root.ID() != loc.ID {
		return nil, fmt.Errorf("%w: %s is root key %s", ErrNoSuchKey, loc.URL, root.ID())
	}
	return root, nil
}

// Create returns the root key for a URL that the database does not know yet, and its location: the
// path of a file is absolute, and a passphrase has the key's id. It makes a key file only if there
// is none.
func (o *Opener) Create(ctx context.Context, url string) (seal.RootKey, Location, error) {
	loc := Location{URL: url}
	root, err := o.create(ctx, &loc)
	if err != nil {
		return nil, Location{}, err
	}
	loc.ID = root.ID()
	if IsPassphrase(loc.URL) {
		loc.URL = PassphraseURL + loc.ID.String()
	}
	return root, loc, nil
}

func (o *Opener) create(ctx context.Context, loc *Location) (seal.RootKey, error) {
	err := Check(loc.URL)
	if err != nil {
		return nil, err
	}
	if IsPassphrase(loc.URL) {
		return o.newPassphrase(ctx, loc)
	}
	if _, isFile := FilePath(loc.URL); !isFile {
		return o.Open(ctx, *loc)
	}
	// Later programs may run in another working directory.
	if loc.URL, err = AbsoluteURL(loc.URL); err != nil {
		return nil, err
	}
	root, err := o.Open(ctx, *loc)
	if errors.Is(err, fs.ErrNotExist) {
		path, _ := FilePath(loc.URL)
		return CreateKeyFile(path)
	}
	return root, err
}

// Package rootkey opens root keys by their URLs: file:PATH, passphrase:, and the key services that
// gocloud.dev/secrets supports.
//
// A URL holds no secret. The database remembers it, so that a server can find the key again.
package rootkey

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

// A Location says where a root key is, as the database remembers it.
type Location struct {
	ID     uuid.UUID // nil if it is not known yet
	URL    string
	Params string // how a passphrase becomes the key; empty for other keys
}

// PassphraseURL is the whole URL of a root key that is made of a passphrase.
const PassphraseURL = "passphrase:"

const fileScheme = "file:"

// The errors of locations.
var (
	// ErrScheme means that a URL is not the URL of a root key.
	ErrScheme = errors.New("the URL of a root key is file:PATH, passphrase:, awskms://…, " +
		"gcpkms://…, azurekeyvault://… or hashivault://…")
	// ErrCredentials means that a URL, which would be stored and shown, has credentials in it.
	ErrCredentials = errors.New("the URL of a root key must hold no credentials: " +
		"set the environment variables of the key service")
	// ErrNoSuchKey means that the URL names another key than the one that is needed.
	ErrNoSuchKey = errors.New("that is another root key")
)

// An Opener opens and creates root keys. It is safe for concurrent use.
type Opener struct {
	Source    *Source // passphrases to try; nil for none
	NewSource *Source // passphrase of a new root key; nil if it comes from Source
	// ServiceTimeout bounds a request to a key service with all its retries.
	// 0 means [DefaultServiceTimeout].
	ServiceTimeout time.Duration
}

// Check checks the form of a URL without opening it. [ErrScheme], [ErrCredentials].
func Check(url string) error {
	switch {
	case strings.HasPrefix(url, fileScheme) && len(url) > len(fileScheme), url == PassphraseURL:
		return nil
	case isService(url):
		return checkService(url)
	}
	return ErrScheme
}

// Open returns the root key at a location. [ErrNoSuchKey]: loc.ID is set and there is another key.
// No error shows anything of a key or passphrase.
func (o *Opener) Open(ctx context.Context, loc Location) (seal.RootKey, error) {
	if loc.URL == PassphraseURL {
		return o.openPassphrase(ctx, loc)
	}
	var root seal.RootKey
	var err error
	if path, isFile := FilePath(loc.URL); isFile {
		root, err = ReadKeyFile(path)
	} else {
		root, err = o.openService(ctx, loc.URL)
	}
	if err != nil {
		return nil, err
	}
	if loc.ID != uuid.Nil && root.ID() != loc.ID {
		return nil, fmt.Errorf("%w: %s is root key %s", ErrNoSuchKey, loc.URL, root.ID())
	}
	return root, nil
}

// Create returns the root key for a URL that the database does not know yet, and its location. It
// makes a key file only if there is none.
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
	if loc.URL == PassphraseURL {
		return o.newPassphrase(ctx, loc)
	}
	if _, isFile := FilePath(loc.URL); !isFile {
		return o.Open(ctx, *loc)
	}
	var err error
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

// FilePath returns the path of a file: URL.
func FilePath(url string) (path string, isFile bool) {
	path, isFile = strings.CutPrefix(url, fileScheme)
	if !isFile {
		return "", false
	}
	return filepath.Clean(path), true
}

// AbsoluteURL makes the path of a file: URL absolute. It returns other URLs unchanged.
func AbsoluteURL(url string) (string, error) {
	path, isFile := FilePath(url)
	if !isFile {
		return url, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return fileScheme + path, nil
}

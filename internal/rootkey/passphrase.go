package rootkey

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// A Passphrase is what a person remembers to make a root key of.
type Passphrase = plaintext.Value

// MinPassphrase is the length of the shortest passphrase for a new key, in bytes. Argon2id slows
// guessing, but cannot make up for a short passphrase.
const MinPassphrase = 12

// The errors of passphrases.
var (
	ErrPassphrase      = errors.New("the passphrase is wrong")
	ErrShortPassphrase = fmt.Errorf("a passphrase must have at least %d bytes", MinPassphrase)
)

// openPassphrase tries the passphrases until one makes the key. [ErrPassphrase]: none does.
func (o *Opener) openPassphrase(ctx context.Context, loc Location) (seal.RootKey, error) {
	if id := PassphraseID(loc.URL); id != uuid.Nil && id != loc.ID {
		return nil, fmt.Errorf("%w: %s is root key %s", ErrNoSuchKey, loc.URL, id)
	}
	if loc.Params == "" {
		return nil, fmt.Errorf("%w: it was not made of a passphrase", ErrNoSuchKey)
	}
	params, err := parseArgon2Params(loc.Params)
	if err != nil {
		return nil, err
	}
	for p, err := range o.all(ctx) {
		if err != nil {
			return nil, err
		}
		root, err := params.derive(ctx, p)
		if err != nil {
			return nil, err
		}
		if root.ID() == loc.ID {
			return root, nil
		}
	}
	return nil, ErrPassphrase
}

// newPassphrase makes a root key of a new passphrase and sets loc.Params.
func (o *Opener) newPassphrase(ctx context.Context, loc *Location) (seal.RootKey, error) {
	p, err := o.forNewKey(ctx)
	if err != nil {
		return nil, err
	}
	if p.Len() < MinPassphrase {
		return nil, ErrShortPassphrase
	}
	params := newArgon2Params()
	loc.Params = params.String()
	return params.derive(ctx, p)
}

// SamePassphrase reports whether loc is of the new passphrase and has the parameters of new keys:
// [Opener.Create] would then make a key that differs in nothing but its salt.
func (o *Opener) SamePassphrase(ctx context.Context, loc Location) (bool, error) {
	params, err := parseArgon2Params(loc.Params)
	if err != nil || !params.isDefault() {
		return false, nil //nolint:nilerr // a new key never has parameters that cannot be read
	}
	p, err := o.forNewKey(ctx)
	if err != nil {
		return false, err
	}
	root, err := params.derive(ctx, p)
	return err == nil && root.ID() == loc.ID, err
}

func (o *Opener) forNewKey(ctx context.Context) (Passphrase, error) {
	source := o.NewSource
	if source == nil {
		source = o.Source
	}
	if source == nil {
		return Passphrase{}, errNoPassphrase
	}
	return source.New(ctx)
}

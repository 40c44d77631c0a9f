package rootkey

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/plaintext"
)

// A Passphrase is what a person knows. It has at least [MinPassphrase] bytes.
type Passphrase = plaintext.Value

// MinPassphrase is the shortest passphrase that is taken, in bytes. Argon2id slows guessing; it
// cannot make up for a short one.
const MinPassphrase = 12

// stretch says how a passphrase becomes a key: Argon2id (RFC 9106).
type stretch struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
	salt    []byte
}

// What new keys get: the second recommendation of RFC 9106, section 4, which is above the minimum
// of OWASP's Password Storage Cheat Sheet (19 MiB, 2 passes, 1 lane).
const (
	argonMemory  = 64 << 10 // KiB
	argonTime    = 3
	argonThreads = 4
	saltSize     = 16
)

// Bounds on what is read from a database, so that a changed row cannot take all memory or give a
// key for nothing.
const (
	minMemory, maxMemory = 19 << 10, 1 << 20 // KiB
	minTime, maxTime     = 2, 16
	maxSalt              = 64
)

// What can be wrong with a passphrase.
var (
	ErrPassphrase      = errors.New("the passphrase is wrong")
	ErrShortPassphrase = fmt.Errorf("a passphrase must have at least %d bytes", MinPassphrase)
	errParams          = errors.New("the stored parameters of the passphrase cannot be read")
)

// argonTurn is held while a passphrase is stretched: one at a time bounds the memory.
var argonTurn = make(
	chan struct{},
	1,
) //nolint:gochecknoglobals // the memory that it bounds is the whole process's

func newStretch() stretch {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // it ends the program rather than fail
	return stretch{memory: argonMemory, time: argonTime, threads: argonThreads, salt: salt}
}

// String is the form that is stored, after the PHC string format, without a hash.
func (s stretch) String() string {
	return fmt.Sprintf(
		"$argon2id$v=%d$m=%d,t=%d,p=%d$%s",
		argon2.Version,
		s.memory,
		s.time,
		s.threads,
		base64.RawStdEncoding.EncodeToString(s.salt),
	)
}

func parseStretch(text string) (s stretch, err error) {
	var version int
	var salt string
	n, err := fmt.Sscanf(
		text,
		"$argon2id$v=%d$m=%d,t=%d,p=%d$%s",
		&version,
		&s.memory,
		&s.time,
		&s.threads,
		&salt,
	)
	if err != nil || n != 5 || version != argon2.Version {
		return s, errParams
	}
	s.salt, err = base64.RawStdEncoding.DecodeString(salt)
	// one form only: the rest of the text would go unread otherwise
	if err != nil || !s.inBounds() || s.String() != text {
		return s, errParams
	}
	return s, nil
}

func (s stretch) inBounds() bool {
	return s.memory >= minMemory && s.memory <= maxMemory && s.time >= minTime &&
		s.time <= maxTime && s.threads >= 1 &&
		len(s.salt) >= saltSize &&
		len(s.salt) <= maxSalt
}

// current tells whether a new key would be made in the same way.
func (s stretch) current() bool {
	return s.memory == argonMemory && s.time == argonTime && s.threads == argonThreads
}

// root stretches a passphrase into a root key.
func (s stretch) root(ctx context.Context, p Passphrase) (seal.RootKey, error) {
	select {
	case argonTurn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-argonTurn }()
	return seal.NewRootKey(
		argon2.IDKey(p.Reveal(), s.salt, s.time, s.memory, s.threads, seal.KeySize),
	)
}

// openPassphrase tries the passphrases until one gives the key.
func (o *Opener) openPassphrase(ctx context.Context, loc Location) (seal.RootKey, error) {
	if loc.Params == "" {
		return nil, fmt.Errorf("%w: it was not made of a passphrase", ErrNoSuchKey)
	}
	how, err := parseStretch(loc.Params)
	if err != nil {
		return nil, err
	}
	if o.Passphrases == nil {
		return nil, errNoPassphrase
	}
	for p, err := range o.Passphrases(ctx) {
		if err != nil {
			return nil, err
		}
		root, err := how.root(ctx, p)
		if err != nil {
			return nil, err
		}
		if root.ID() == loc.ID {
			return root, nil
		}
	}
	return nil, ErrPassphrase
}

var errNoPassphrase = errors.New("nothing was given to read the passphrase from")

// newPassphrase makes a root key of a new passphrase.
func (o *Opener) newPassphrase(ctx context.Context, loc *Location) (seal.RootKey, error) {
	if o.NewPassphrase == nil {
		return nil, errNoPassphrase
	}
	p, err := o.NewPassphrase(ctx)
	if err != nil {
		return nil, err
	}
	if p.Len() < MinPassphrase {
		return nil, ErrShortPassphrase
	}
	how := newStretch()
	loc.Params = how.String()
	return how.root(ctx, p)
}

// SamePassphrase reports whether loc is of the new passphrase and has the parameters of new keys:
// [Opener.Create] would then make a key that differs in nothing but its salt.
func (o *Opener) SamePassphrase(ctx context.Context, loc Location) (bool, error) {
	how, err := parseStretch(loc.Params)
	if loc.URL != PassphraseURL || err != nil || !how.current() {
		return false, nil //nolint:nilerr // what cannot be read is none that would be made
	}
	if o.NewPassphrase == nil {
		return false, errNoPassphrase
	}
	p, err := o.NewPassphrase(ctx)
	if err != nil {
		return false, err
	}
	root, err := how.root(ctx, p)
	return err == nil && root.ID() == loc.ID, err
}

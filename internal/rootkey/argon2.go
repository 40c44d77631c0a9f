package rootkey

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"

	"golang.org/x/crypto/argon2"

	"github.com/keysake/keysake/internal/seal"
)

// argon2Params say how a passphrase becomes a key: Argon2id (RFC 9106).
type argon2Params struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
	salt    []byte
}

// The parameters of new keys: the second recommendation of RFC 9106, section 4. OWASP's Password
// Storage Cheat Sheet asks for less (19 MiB, 2 passes, 1 lane).
const (
	argonMemory  = 64 << 10 // KiB
	argonTime    = 3
	argonThreads = 4
	saltSize     = 16
)

// The bounds of stored parameters, so that a changed row cannot exhaust the memory, or make a
// passphrase cheap to guess.
const (
	minMemory, maxMemory = 19 << 10, 1 << 20 // KiB
	minTime, maxTime     = 2, 16
	maxThreads           = 16
	maxSalt              = 64
)

var errParams = errors.New("the stored parameters of the passphrase cannot be read")

// argonSlot is held while a key is derived: one derivation at a time bounds the memory.
//
//nolint:gochecknoglobals // it bounds the memory of the whole process
var argonSlot = make(chan struct{}, 1)

func newArgon2Params() argon2Params {
	salt := make([]byte, saltSize)
	_, _ = rand.Read(salt) // crypto/rand ends the program rather than fail
	return argon2Params{memory: argonMemory, time: argonTime, threads: argonThreads, salt: salt}
}

const argon2Format = "$argon2id$v=%d$m=%d,t=%d,p=%d$%s"

// String returns the stored form: the PHC string format without a hash.
func (a argon2Params) String() string {
	return fmt.Sprintf(argon2Format, argon2.Version, a.memory, a.time, a.threads,
		base64.RawStdEncoding.EncodeToString(a.salt))
}

func parseArgon2Params(text string) (a argon2Params, err error) {
	var version int
	var salt string
	n, err := fmt.Sscanf(text, argon2Format, &version, &a.memory, &a.time, &a.threads, &salt)
	if err != nil || n != 5 || version != argon2.Version {
		return a, errParams
	}
	a.salt, err = base64.RawStdEncoding.DecodeString(salt)
	// Sscanf ignores what follows: only the exact form is accepted.
	if err != nil || !a.inBounds() || a.String() != text {
		return a, errParams
	}
	return a, nil
}

func (a argon2Params) inBounds() bool {
	return a.memory >= minMemory && a.memory <= maxMemory &&
		a.time >= minTime && a.time <= maxTime && a.threads >= 1 && a.threads <= maxThreads &&
		len(a.salt) >= saltSize && len(a.salt) <= maxSalt
}

// isDefault reports whether a new key would have the same parameters, but for the salt.
func (a argon2Params) isDefault() bool {
	return a.memory == argonMemory && a.time == argonTime && a.threads == argonThreads
}

// derive makes the root key of a passphrase.
func (a argon2Params) derive(ctx context.Context, p Passphrase) (seal.RootKey, error) {
	select {
	case argonSlot <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-argonSlot }()
	return seal.NewRootKey(
		argon2.IDKey(p.Reveal(), a.salt, a.time, a.memory, a.threads, seal.KeySize))
}

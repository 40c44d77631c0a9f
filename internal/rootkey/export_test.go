package rootkey

import (
	"context"

	"github.com/keysake/keysake/internal/seal"
)

// Stretched returns the root key that Argon2id makes of a passphrase with these parameters,
// whatever they are.
func Stretched(
	ctx context.Context,
	p Passphrase,
	memory, time uint32,
	threads uint8,
	salt []byte,
) (seal.RootKey, error) {
	return stretch{memory, time, threads, salt}.root(ctx, p)
}

// ParamsAreRead tells whether stored parameters are taken.
func ParamsAreRead(text string) bool {
	_, err := parseStretch(text)
	return err == nil
}

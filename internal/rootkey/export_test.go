package rootkey

import (
	"context"

	"github.com/keysake/keysake/internal/seal"
)

// Derive returns the root key that Argon2id makes of a passphrase, with parameters out of any
// bounds.
func Derive(
	ctx context.Context, p Passphrase, memory, time uint32, threads uint8, salt []byte,
) (seal.RootKey, error) {
	return argon2Params{memory, time, threads, salt}.derive(ctx, p)
}

// ParamsAreRead reports whether stored parameters are accepted.
func ParamsAreRead(text string) bool {
	_, err := parseArgon2Params(text)
	return err == nil
}

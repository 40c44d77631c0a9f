package cli

import (
	"context"
	"errors"

	"github.com/keysake/keysake/plaintext"
)

// passphrase asks for the passphrase of a root key, on a terminal only: what is piped in is for
// something else.
func (a *app) passphrase(ctx context.Context, prompt string) (plaintext.Value, error) {
	tty, ok := terminal(a.stdin)
	if !ok {
		return plaintext.Value{}, errors.New(
			"standard input is no terminal to ask for the passphrase: give --root-passphrase-file or --root-passphrase-fd",
		)
	}
	return a.readHidden(ctx, tty, prompt)
}

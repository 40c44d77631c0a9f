//go:build darwin || windows

package keyring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zalando/go-keyring"

	"github.com/keysake/keysake/plaintext"
)

// Get returns the text of a name. ErrNotFound: there is none. Other errors say why the keyring
// cannot be asked.
func (k Keyring) Get(ctx context.Context, name string) (plaintext.Value, error) {
	return within(ctx, k, func() (plaintext.Value, error) {
		text, err := keyring.Get(service, name)
		return plaintext.FromString(text), err
	})
}

// Set keeps a text under a name, in place of an earlier one. label is for systems that show one.
func (k Keyring) Set(ctx context.Context, name, _ string, text plaintext.Value) error {
	_, err := within(ctx, k, func() (struct{}, error) {
		return struct{}{}, keyring.Set(service, name, string(text.Reveal()))
	})
	return err
}

// Delete removes what is kept under a name, if it is there.
func (k Keyring) Delete(ctx context.Context, name string) error {
	_, err := within(ctx, k, func() (struct{}, error) {
		return struct{}{}, keyring.Delete(service, name)
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// within returns what do does, as long as that takes no longer than a keyring may. The system asks
// the user by itself, so where somebody is there it may take as long as they do.
func within[T any](ctx context.Context, k Keyring, do func() (T, error)) (result T, err error) {
	patience, late := AnswerTime, errSilent
	if k.Ask != nil {
		patience, late = UnlockTime, errAlone
	}
	type answer struct {
		T   T
		err error
	}
	answered := make(chan answer, 1)
	go func() {
		result, err := do()
		answered <- answer{result, err}
	}()
	select {
	case a := <-answered:
		switch {
		case errors.Is(a.err, keyring.ErrNotFound):
			a.err = ErrNotFound
		case a.err != nil:
			a.err = fmt.Errorf("the keyring refused: %w", a.err)
		}
		return a.T, a.err
	case <-time.After(patience):
		return result, late
	case <-ctx.Done():
		return result, ctx.Err()
	}
}

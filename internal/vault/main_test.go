package vault_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/keysake/keysake/internal/vault"
)

// undoFirstRuns makes the fixtures use an undoingStore.
var undoFirstRuns bool

// TestMain runs the suite on a store that runs each function once, then on one that undoes each
// first run and runs the function again, as a store may.
func TestMain(m *testing.M) {
	code := m.Run()
	if code == 0 {
		undoFirstRuns = true
		_ = flag.Set("rapid.checks", "25") // each takes twice as long
		if code = m.Run(); code != 0 {
			fmt.Println("FAIL on a store that runs each function twice")
		}
	}
	os.Exit(code)
}

// An undoingStore undoes the first run of each function and runs it again.
type undoingStore struct{ vault.Store }

var errUndone = errors.New("undone")

func (s undoingStore) View(ctx context.Context, fn func(vault.Reader) error) error {
	_ = s.Store.View(ctx, fn)
	return s.Store.View(ctx, fn)
}

func (s undoingStore) Read(ctx context.Context, fn func(vault.Reader) error) error {
	_ = s.Store.Read(ctx, fn)
	return s.Store.Read(ctx, fn)
}

func (s undoingStore) Update(ctx context.Context, fn func(vault.Tx) error) error {
	_ = s.Store.Update(ctx, func(tx vault.Tx) error {
		_ = fn(tx)
		return errUndone
	})
	return s.Store.Update(ctx, fn)
}

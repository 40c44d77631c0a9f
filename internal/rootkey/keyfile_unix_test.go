//go:build unix

package rootkey_test

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/keysake/keysake/internal/rootkey"
)

// Opening a pipe without a writer must not wait for one.
func TestAPipeIsNotAKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := rootkey.ReadKeyFile(path); !errors.Is(err, rootkey.ErrKeyFileType) {
		t.Error(err)
	}
}

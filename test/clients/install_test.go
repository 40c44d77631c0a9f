package clients_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/keysake/keysake/internal/apptest"
)

// node returns the command that runs a client in JavaScript, in a folder that has what it imports.
func node(t *testing.T, name string) []string {
	t.Helper()
	modules, err := installed()
	apptest.Must(t, err)
	dir := t.TempDir()
	apptest.Must(t, os.CopyFS(dir, os.DirFS("js")))
	apptest.Must(t, os.Symlink(modules, filepath.Join(dir, "node_modules")))
	return []string{"node", filepath.Join(dir, name+".mjs")}
}

// installed installs the packages of JavaScript, unless they are there from another run, and
// returns their folder. It is named after what is pinned.
var installed = sync.OnceValues(func() (string, error) {
	lock, err := os.ReadFile("js/package-lock.json")
	if err != nil {
		return "", err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(lock)
	cache = filepath.Join(cache, "keysake-test-clients")
	dir := filepath.Join(cache, hex.EncodeToString(sum[:8]))
	modules := filepath.Join(dir, "node_modules")
	if _, err := os.Stat(modules); err == nil {
		return modules, nil
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", err
	}
	fresh, err := os.MkdirTemp(cache, "install-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	if err := os.CopyFS(fresh, os.DirFS("js")); err != nil {
		return "", err
	}
	cmd := exec.Command("npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit",
		"--no-fund")
	cmd.Dir = fresh
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	if err := os.Rename(fresh, dir); err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	return modules, nil
})

// program returns the command that runs a client in Go.
func program(t *testing.T, name string) []string {
	t.Helper()
	path, err := built()
	apptest.Must(t, err)
	return []string{path, name}
}

// built builds the clients in Go, which are a module of their own.
var built = sync.OnceValues(func() (string, error) {
	to := filepath.Join(filepath.Dir(keysake), "clients")
	return to, build("programs", to, ".")
})

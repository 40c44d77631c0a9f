package rootkey

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/seal"
)

// ErrKeyFileType means that a key file is a folder, a pipe or a device.
var ErrKeyFileType = errors.New("it must be a regular file")

// ReadKeyFile returns the root key in a file. fs.ErrNotExist: there is no file. [ErrKeyFileType],
// [privatefile.ErrMode], [seal.ErrKeySize]: the file is not one that [CreateKeyFile] would make.
func ReadKeyFile(path string) (seal.RootKey, error) {
	// Opening a pipe must not wait until something writes to it.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	bits, err := readKey(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("root key %s: %w", path, err)
	}
	return seal.NewRootKey(bits)
}

func readKey(f *os.File) ([]byte, error) {
	info, err := f.Stat() // of the open file: the path may name another one by now
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, ErrKeyFileType
	}
	if err := privatefile.CheckMode(info); err != nil {
		return nil, err
	}
	if info.Size() != seal.KeySize {
		return nil, seal.ErrKeySize
	}
	bits := make([]byte, seal.KeySize)
	if _, err := io.ReadFull(f, bits); err != nil {
		return nil, seal.ErrKeySize
	}
	return bits, nil
}

// CreateKeyFile makes a new random root key and writes it to a new file with mode 0600. The key is
// on the disk when it returns. fs.ErrExist: there is already a file; no key is ever overwritten.
func CreateKeyFile(path string) (seal.RootKey, error) {
	bits := make([]byte, seal.KeySize)
	_, _ = rand.Read(bits) // crypto/rand ends the program rather than fail
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = privatefile.Create(path, privatefile.Content(bits))
	}
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	return seal.NewRootKey(bits)
}

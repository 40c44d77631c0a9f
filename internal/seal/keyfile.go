package seal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// What can be wrong with a root key's file. Match with errors.Is; fs.ErrNotExist where there is
// none.
var (
	ErrKeyFileSize = fmt.Errorf("the file must hold exactly %d bytes", KeySize)
	ErrKeyFileMode = errors.New("others than its owner may read or change the file: make it 0600")
	ErrKeyFileType = errors.New("it must be a regular file")
)

// ReadKeyFile returns the root key in the file at path: exactly [KeySize] bytes, in a regular file
// that nobody but its owner can read.
func ReadKeyFile(path string) (RootKey, error) {
	// opening a pipe must not wait for who writes to it
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	bits, err := readKey(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("root key %s: %w", path, err)
	}
	return NewRootKey(bits)
}

func readKey(f *os.File) ([]byte, error) {
	// The open file is asked, not the path, which could have become another file's meanwhile.
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, ErrKeyFileType
	case info.Mode().Perm()&0o077 != 0:
		return nil, ErrKeyFileMode
	case info.Size() != KeySize:
		return nil, ErrKeyFileSize
	}
	bits := make([]byte, KeySize)
	if _, err := io.ReadFull(f, bits); err != nil {
		return nil, ErrKeyFileSize
	}
	return bits, nil
}

// CreateKeyFile makes a new random root key in a new file at path, 0600, and returns it when the
// disk has it. Its error is [fs.ErrExist] where there is a file already: no key is ever written
// over.
func CreateKeyFile(path string) (RootKey, error) {
	bits := randomBytes(KeySize)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	if err := writeNew(path, bits); err != nil {
		return nil, fmt.Errorf("root key: %w", err)
	}
	return NewRootKey(bits)
}

// writeNew writes a temporary file and links it into place, so that the name never stands for half
// a key, nor replaces another.
func writeNew(path string, bits []byte) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".root-key-*") // 0600 from the start
	if err != nil {
		return err
	}
	_, err = tmp.Write(bits)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = os.Link(tmp.Name(), path)
	}
	// At once: until then the key has a second name, which a kill would leave.
	if err = errors.Join(err, os.Remove(tmp.Name())); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes a new name in the folder durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

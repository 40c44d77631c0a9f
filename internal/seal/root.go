package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/uuid"
)

// A RootKey wraps owner keys. It is safe for concurrent use and prints nothing of itself.
type RootKey struct{ key key }

// newRootKey derives the id from the bits, so that a key file needs nothing beside them. The id is a UUID of version 8
// (RFC 9562, section 5.8); 122 bits of HKDF output tell nothing of the key.
func newRootKey(bits []byte) (RootKey, error) {
	b, err := hkdf.Key(sha256.New, bits, nil, "keysake v1 root-key-id", idSize)
	if err != nil {
		return RootKey{}, fmt.Errorf("seal: derive the root key's id: %w", err)
	}
	id := uuid.UUID(b)
	id[6] = id[6]&0x0f | 0x80 // version 8
	id[8] = id[8]&0x3f | 0x80 // RFC variant
	return RootKey{newKey(id, bits)}, nil
}

// ID returns the key's id, which every blob it makes carries.
func (r RootKey) ID() uuid.UUID { return r.key.id }

// Wrap seals an owner key for its owner.
func (r RootKey) Wrap(owner uuid.UUID, k OwnerKey) ([]byte, error) {
	return r.key.seal(purposeOwnerKey, Place{Owner: owner, Subject: k.ID()}, k.key.bits())
}

// Unwrap returns the owner key that Wrap sealed under the same owner and id.
func (r RootKey) Unwrap(owner, id uuid.UUID, blob []byte) (OwnerKey, error) {
	bits, err := r.key.open(purposeOwnerKey, Place{Owner: owner, Subject: id}, blob)
	if err != nil {
		return OwnerKey{}, err
	}
	if len(bits) != KeySize {
		return OwnerKey{}, ErrFormat
	}
	return OwnerKey{newKey(id, bits)}, nil
}

// Check returns a new check value: a blob that only this key opens, kept in the database and opened at every start.
func (r RootKey) Check() ([]byte, error) {
	return r.key.seal(purposeCheck, Place{Subject: r.ID()}, nil)
}

// OpenCheck opens a check value. Its error is [ErrOtherKey] where the check was made by another key.
func (r RootKey) OpenCheck(blob []byte) error {
	_, err := r.key.open(purposeCheck, Place{Subject: r.ID()}, blob)
	return err
}

// What can be wrong with a root key's file. Match with errors.Is; fs.ErrNotExist where there is none.
var (
	ErrKeyFileSize = fmt.Errorf("the file must hold exactly %d bytes", KeySize)
	ErrKeyFileMode = errors.New("others than its owner may read or change the file: make it 0600")
	ErrKeyFileType = errors.New("it must be a regular file")
)

// ReadKeyFile returns the root key in the file at path: exactly [KeySize] bytes, in a regular file that nobody but its owner can read.
func ReadKeyFile(path string) (RootKey, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // opening a pipe must not wait for who writes to it
	if err != nil {
		return RootKey{}, fmt.Errorf("root key: %w", err)
	}
	bits, err := readKey(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return RootKey{}, fmt.Errorf("root key %s: %w", path, err)
	}
	return newRootKey(bits)
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

// CreateKeyFile makes a new random root key in a new file at path, 0600, and returns it when the disk has it.
// Its error is [fs.ErrExist] where there is a file already: no key is ever written over.
func CreateKeyFile(path string) (RootKey, error) {
	bits := randomBytes(KeySize)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return RootKey{}, fmt.Errorf("root key: %w", err)
	}
	if err := writeNew(path, bits); err != nil {
		return RootKey{}, fmt.Errorf("root key: %w", err)
	}
	return newRootKey(bits)
}

// writeNew writes a temporary file and links it into place, so that the name never stands for half a key, nor replaces another.
func writeNew(path string, bits []byte) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".root-key-*") // 0600 from the start
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, err = tmp.Write(bits)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err := os.Link(tmp.Name(), path); err != nil {
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

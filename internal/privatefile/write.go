// Package privatefile reads and writes files that are for their owner only.
package privatefile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Create writes a new file with mode 0600. It calls write on a temporary file in the same folder,
// and gives that file its name once the disk has all of it: at no time does the name stand for a
// part of the file. fs.ErrExist: there is already something of this name, which is not touched.
func Create(path string, write func(*os.File) error) error {
	if _, err := os.Lstat(path); err == nil {
		return &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	return writeWhole(path, write, os.Link) // a rename would replace a file made in the meantime
}

// ErrNotRegular means that a name is that of a folder, a device, a pipe or a link.
var ErrNotRegular = errors.New("it is not a regular file, and is not replaced")

// Replace is [Create] for a name that may be in use: the new file replaces the old one.
// [ErrNotRegular]: the name is that of something else than a regular file, which stays as it is.
func Replace(path string, write func(*os.File) error) error {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return &fs.PathError{Op: "replace", Path: path, Err: ErrNotRegular}
	}
	return writeWhole(path, write, os.Rename)
}

func writeWhole(
	path string, write func(*os.File) error, name func(from, to string) error,
) error {
	dir := filepath.Dir(path)
	tmp, release, err := createPart(path)
	if err != nil {
		return err
	}
	defer release()
	err = write(tmp)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err == nil {
		err = name(tmp.Name(), path)
	}
	// At once, because a linked file has two names until then.
	if removed := os.Remove(tmp.Name()); !errors.Is(removed, fs.ErrNotExist) {
		err = errors.Join(err, removed)
	}
	if err != nil {
		return err
	}
	return SyncDir(dir)
}

// SyncDir makes new names in a folder durable, except on Windows, where a folder cannot be synced.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Content returns the write function of a file that holds b.
func Content(b []byte) func(*os.File) error {
	return func(f *os.File) error {
		_, err := f.Write(b)
		return err
	}
}

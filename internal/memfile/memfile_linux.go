// Package memfile puts a value into a file that is kept in memory and on no disk.
package memfile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/keysake/keysake/plaintext"
)

// A File is a file in memory.
type File struct {
	Path   string // what a program opens
	remove func() error
}

// Remove removes the file. One without a name ends with the last program that has it open.
func (f File) Remove() error { return f.remove() }

// Named makes a file at path, which only this user can read. It refuses a path that exists, and one
// on a file system that is not in memory. A process that is killed leaves its files: the next one
// that makes a file in the same folder removes them.
func Named(path string, v plaintext.Value) (File, error) {
	fail := func(err error) (File, error) { return File{}, fmt.Errorf("--file: %s: %w", path, err) }
	folder, err := unix.Open(filepath.Dir(path), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fail(err)
	}
	if err := inMemory(folder); err != nil {
		return fail(errors.Join(err, unix.Close(folder)))
	}
	sweep(folder)
	remove, err := fillNew(folder, filepath.Base(path), v)
	if errors.Is(err, unix.EEXIST) {
		err = errors.New("it exists, and is not replaced")
	}
	if err != nil {
		return fail(errors.Join(err, unix.Close(folder)))
	}
	return File{Path: path, remove: func() error {
		return errors.Join(remove(), unix.Close(folder))
	}}, nil
}

// fillNew makes a file with a note about it, and returns what removes both.
func fillNew(folder int, name string, v plaintext.Value) (remove func() error, err error) {
	about, err := newNote(folder, name)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Openat(folder, name,
		unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_WRONLY|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return nil, errors.Join(err, about.remove())
	}
	f := os.NewFile(uintptr(fd), name)
	remove = func() error { return errors.Join(unix.Unlinkat(folder, name, 0), about.remove()) }
	if err = about.is(fd); err == nil {
		err = fill(f, v)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, remove())
	}
	return remove, nil
}

// CheckFolder checks that path is in a folder of a file system in memory.
func CheckFolder(path string) error {
	folder, err := unix.Open(filepath.Dir(path), unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("--file: %s: its folder: %w", path, err)
	}
	if err = errors.Join(inMemory(folder), unix.Close(folder)); err != nil {
		return fmt.Errorf("--file: %s: %w", path, err)
	}
	return nil
}

func inMemory(folder int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(folder, &fs); err != nil {
		return err
	}
	if fs.Type != unix.TMPFS_MAGIC && fs.Type != unix.RAMFS_MAGIC {
		return errors.New("it would be on a disk: use a path in /dev/shm or $XDG_RUNTIME_DIR")
	}
	return nil
}

// Nameless makes a file without a name. Programs started by this process, by exec too, inherit it
// open, and open it again at its Path. It cannot be changed.
func Nameless(v plaintext.Value) (File, error) {
	fd, err := unix.MemfdCreate("keysake", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return File{}, fmt.Errorf("--file: make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), "memory")
	err = fill(f, v)
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS,
			unix.F_SEAL_WRITE|unix.F_SEAL_GROW|unix.F_SEAL_SHRINK|unix.F_SEAL_SEAL)
	}
	if err == nil {
		_, err = unix.FcntlInt(uintptr(fd), unix.F_SETFD, 0) // inherited by exec
	}
	if err != nil {
		return File{}, fmt.Errorf("--file: make a file in memory: %w", errors.Join(err, f.Close()))
	}
	return File{Path: fmt.Sprintf("/proc/self/fd/%d", fd), remove: f.Close}, nil
}

// fill writes the value to a file that only its owner may use.
func fill(f *os.File, v plaintext.Value) error {
	if err := f.Chmod(0o600); err != nil {
		return err
	}
	_, err := f.Write(v.Reveal())
	return err
}

//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package privatefile

import (
	"os"

	"golang.org/x/sys/unix"
)

// lock locks the file at path until release. A file system without locks is no error: there no file
// is taken for abandoned. The lock has a descriptor of its own, because it lasts until the file has
// its name, and the file is closed before.
func lock(path string) (release func()) {
	f, err := os.Open(path)
	if err != nil {
		return func() {}
	}
	_ = unix.Flock(int(f.Fd()), unix.LOCK_EX)
	return func() { _ = f.Close() }
}

// tryLock locks a file if no other process has, and reports whether it did.
func tryLock(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

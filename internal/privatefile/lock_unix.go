//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package privatefile

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// lock locks the file at path until release. It does not wait: taken means that another process has
// taken the file for abandoned. A file system without locks is no error: there none is. The lock
// has a descriptor of its own, because it lasts until the file has its name, and the file is closed
// before.
func lock(path string) (release func(), taken bool) {
	f, err := os.Open(path)
	if err != nil {
		return func() {}, false
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	return func() { _ = f.Close() }, errors.Is(err, unix.EWOULDBLOCK)
}

// tryLock locks a file if no other process has, and reports whether it did.
func tryLock(f *os.File) bool {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}

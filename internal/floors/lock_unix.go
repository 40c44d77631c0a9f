//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package floors

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// tryLock locks a file until it is closed, and does not wait: a process that was stopped with the
// lock holds up nobody. A file system without locks is no error.
func tryLock(f *os.File) error {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return ErrBusy
	}
	return nil
}

//go:build unix

package server

import (
	"os"

	"golang.org/x/sys/unix"
)

// openFiles returns how many files the process may open, and how many it has open. Both are 0 if
// that is unknown.
func openFiles() (limit, open int) {
	var most unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &most); err != nil {
		return 0, 0
	}
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		return 0, 0
	}
	return int(min(most.Cur, 1<<30)), len(entries)
}

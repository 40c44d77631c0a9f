package process

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// notDumpable gives the files of the process in /proc to root, forbids others of the same user to
// trace it, and a core dump that goes to a program, which RLIMIT_CORE does not.
func notDumpable() error {
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("the memory of this process stays open to others of its user: %w", err)
	}
	return nil
}

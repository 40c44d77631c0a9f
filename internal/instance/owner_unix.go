//go:build unix

package instance

import (
	"fmt"
	"os"
	"syscall"
)

// checkOwner checks that the database belongs to the user of this process. A running server could
// not read the files that another user, such as root, creates next to it.
func checkOwner(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (uid %d): run this command as that user",
			path, owner.Uid)
	}
	return nil
}

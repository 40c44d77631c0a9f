//go:build unix

package instance

import (
	"fmt"
	"os"
	"syscall"
)

// checkOwner refuses to work beside a server as somebody else: what root makes there, a key file or a
// journal, the server could not read.
func checkOwner(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf(
			"%s belongs to another user (uid %d): run this as that user, or a running server could not read what it makes",
			path,
			owner.Uid,
		)
	}
	return nil
}

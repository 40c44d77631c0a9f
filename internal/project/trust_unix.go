//go:build unix

package project

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// trust checks that only this user, or root, could have written the file. A group counts as the
// user alone if it has the user's number, as most Linux systems set up accounts.
func trust(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	self := os.Geteuid()
	switch {
	case !info.Mode().IsRegular():
		return errors.New("it is not a regular file")
	case !ok || stat.Uid != 0 && int(stat.Uid) != self:
		return errors.New("it belongs to another user: name the secrets with --secret")
	case info.Mode().Perm()&0o002 != 0,
		info.Mode().Perm()&0o020 != 0 && (int(stat.Gid) != self || stat.Uid != stat.Gid):
		return errors.New("other users can change it: make it 0644")
	}
	return nil
}

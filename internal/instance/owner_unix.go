//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package instance

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
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

// cannotWrite reports whether this process may not write the database, or not keep its log beside
// it.
func cannotWrite(path string) bool {
	if _, err := os.Stat(path); err != nil {
		return false
	}
	for _, needed := range []string{path, filepath.Dir(path)} {
		err := unix.Faccessat(unix.AT_FDCWD, needed, unix.W_OK, unix.AT_EACCESS)
		if errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.EROFS) {
			return true
		}
	}
	return false
}

// checkNames checks that the database is one file under one name. SQLite keeps a log for each name,
// and a database that is written with two logs is lost.
func checkNames(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if file, ok := info.Sys().(*syscall.Stat_t); ok && file.Nlink > 1 {
		return fmt.Errorf("%s has %d names (hard links), which damages a database: remove all but "+
			"one, or make a copy with keysake backup and restore", path, file.Nlink)
	}
	return nil
}

// foreignOwner returns the owner of a file if that is neither root nor the user who serves the data
// folder: that of this process, or for root, who looks after the files of others, the folder's.
func foreignOwner(info, folder fs.FileInfo) (uid uint32, foreign bool) {
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !ok || owner.Uid == 0 {
		return 0, false
	}
	server := os.Geteuid()
	if of, ok := folder.Sys().(*syscall.Stat_t); ok && server == 0 {
		server = int(of.Uid)
	}
	return owner.Uid, int(owner.Uid) != server
}

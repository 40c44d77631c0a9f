package memfile

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// A note stands beside a file as long as that is used: a hidden file with the other one's inode,
// which its process holds locked. What a killed process leaves is found by a note without a lock.
type note struct {
	folder int
	name   string // of the file that it is about
	file   *os.File
}

const notePrefix, noteSuffix = ".", ".keysake"

func noteOf(name string) string { return notePrefix + name + noteSuffix }

// newNote makes a note about a file that will be made.
func newNote(folder int, name string) (*note, error) {
	for {
		fd, err := unix.Openat(folder, noteOf(name),
			unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
		if err != nil {
			return nil, err
		}
		n := &note{folder, name, os.NewFile(uintptr(fd), "note")}
		var stat unix.Stat_t
		err = errors.Join(unix.Flock(fd, unix.LOCK_EX), unix.Fstat(fd, &stat))
		if err == nil && stat.Nlink > 0 {
			return n, nil
		}
		if err = errors.Join(err, n.file.Close()); err != nil { // another process took it for stale
			return nil, err
		}
	}
}

// is says which file the note is about.
func (n *note) is(file int) error {
	var stat unix.Stat_t
	if err := unix.Fstat(file, &stat); err != nil {
		return err
	}
	_, err := fmt.Fprint(n.file, stat.Ino)
	return err
}

func (n *note) remove() error {
	return errors.Join(unix.Unlinkat(n.folder, noteOf(n.name), 0), n.file.Close())
}

// sweep removes what killed processes of this user left in a folder. It is a help: what it cannot
// remove stays.
func sweep(folder int) {
	fd, err := unix.Openat(folder, ".", unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	dir := os.NewFile(uintptr(fd), "folder")
	defer dir.Close() //nolint:errcheck // it was only read
	names, _ := dir.Readdirnames(-1)
	for _, hidden := range names {
		name, isNote := strings.CutSuffix(hidden, noteSuffix)
		if name, isHidden := strings.CutPrefix(name, notePrefix); isNote && isHidden && name != "" {
			removeStale(folder, name)
		}
	}
}

func removeStale(folder int, name string) {
	fd, err := unix.Openat(folder, noteOf(name),
		unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	file := os.NewFile(uintptr(fd), "note")
	defer file.Close() //nolint:errcheck // it was only read
	var about, stat unix.Stat_t
	if unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) != nil || unix.Fstat(fd, &about) != nil ||
		!isOwn(about) {
		return // its process lives, or it is none of this user's
	}
	var text [20]byte
	n, _ := file.Read(text[:])
	inode, err := strconv.ParseUint(string(text[:n]), 10, 64)
	if err == nil && unix.Fstatat(folder, name, &stat, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		stat.Ino == inode && isOwn(stat) {
		_ = unix.Unlinkat(folder, name, 0)
	}
	_ = unix.Unlinkat(folder, noteOf(name), 0)
}

func isOwn(stat unix.Stat_t) bool {
	return stat.Mode&unix.S_IFMT == unix.S_IFREG && int(stat.Uid) == os.Geteuid()
}

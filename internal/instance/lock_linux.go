package instance

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// A fileLock is on a file, not on its name. It is released after the database is closed: a process
// that closes a file loses all locks that SQLite has on it.
type fileLock struct {
	file *os.File
	info fs.FileInfo
}

// fileLocks are those of this process, which must not even open such a file a second time.
//
//nolint:gochecknoglobals // so are the locks that SQLite has
var fileLocks struct {
	mu  sync.Mutex
	all []*fileLock
}

// lockFile locks the file at path, which it opens with the flags. Several processes may lock a file
// that they only read. [errLocked].
func lockFile(path string, flags int) (*fileLock, error) {
	fileLocks.mu.Lock()
	defer fileLocks.mu.Unlock()
	if info, err := os.Stat(path); err == nil {
		same := func(l *fileLock) bool { return os.SameFile(l.info, info) }
		if slices.ContainsFunc(fileLocks.all, same) {
			return nil, errLocked
		}
	}
	kind := int16(unix.F_RDLCK)
	if flags&os.O_RDWR != 0 {
		kind = unix.F_WRLCK
	}
	file, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return nil, err
	}
	l := &fileLock{file: file}
	if l.info, err = file.Stat(); err == nil {
		err = lockOpenFile(file, kind)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	fileLocks.all = append(fileLocks.all, l)
	return l, nil
}

// lockPosition is beyond every database, and beyond the bytes that SQLite locks.
const lockPosition = 1 << 62

// lockOpenFile takes a lock that belongs to the open file: the locks of SQLite, which belong to the
// process, neither meet it nor end it. A kernel without such locks has only the lock file in the
// folder.
func lockOpenFile(file *os.File, kind int16) error {
	lock := unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: lockPosition, Len: 1}
	err := unix.FcntlFlock(file.Fd(), unix.F_OFD_SETLK, &lock)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
		return errLocked
	case errors.Is(err, unix.EINVAL), err == nil:
		return nil
	}
	return fmt.Errorf("lock %s: %w", file.Name(), err)
}

func (l *fileLock) release() error {
	fileLocks.mu.Lock()
	defer fileLocks.mu.Unlock()
	fileLocks.all = slices.DeleteFunc(
		fileLocks.all, func(other *fileLock) bool { return other == l })
	return l.file.Close()
}

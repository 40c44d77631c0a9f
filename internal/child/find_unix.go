//go:build unix

package child

import (
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Find returns the file that a shell would run for a command, with this PATH. [*StartError]: there
// is none.
func Find(command, path string) (string, error) {
	if command == "" {
		return "", &StartError{NotFound, "the command is empty"}
	}
	if strings.Contains(command, "/") {
		return command, runnable(command)
	}
	var denied error
	for _, dir := range filepath.SplitList(path) {
		file := filepath.Join(dir, command)
		if dir == "" || dir == "." {
			file = "./" + command
		}
		err := runnable(file)
		if err == nil {
			return file, nil
		}
		if e, ok := errors.AsType[*StartError](err); ok && e.Code == CannotRun {
			denied = err
		}
	}
	if denied != nil {
		return "", denied
	}
	return "", &StartError{NotFound, "the command was not found in PATH"}
}

// runnable checks that this user may run a file.
func runnable(file string) error {
	var stat unix.Stat_t
	err := unix.Stat(file, &stat)
	switch {
	case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ENOTDIR):
		return &StartError{NotFound, "the command was not found"}
	case err != nil:
		return cannotRun("the command cannot be run: %v", err)
	case stat.Mode&unix.S_IFMT == unix.S_IFDIR:
		return cannotRun("the command is a folder")
	}
	if err := unix.Faccessat(unix.AT_FDCWD, file, unix.X_OK, unix.AT_EACCESS); err != nil {
		return cannotRun("the command cannot be run: %v", err)
	}
	return nil
}

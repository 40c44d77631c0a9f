package privatefile

import (
	"errors"
	"io/fs"
	"runtime"
)

// ErrMode means that users other than the owner can read or change a file.
var ErrMode = errors.New("other users can read or change it: make it 0600")

// CheckMode checks that only its owner can read or change a file or folder.
// ErrMode: others can.
//
// Windows has no such modes: there every file passes.
func CheckMode(info fs.FileInfo) error {
	if info.Mode().Perm()&0o077 != 0 && runtime.GOOS != "windows" {
		return ErrMode
	}
	return nil
}

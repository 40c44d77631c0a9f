//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package privatefile

import (
	"os"
	"runtime"
)

func lock(string) (release func(), taken bool) { return func() {}, false }

// tryLock reports whether a file can be taken for abandoned. Windows has no such locks, and removes
// no file that is open; elsewhere every file may be in use.
func tryLock(*os.File) bool { return runtime.GOOS == "windows" }

package apptest

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// SmallDisk returns a folder that is a file system of its own, of a size such as "3m". That needs
// root, which CI has; elsewhere the test is skipped.
func SmallDisk(tb testing.TB, size string) (dir string) {
	tb.Helper()
	dir = tb.TempDir()
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC
	err := unix.Mount("keysake-test", dir, "tmpfs", flags, "size="+size)
	if _, ci := os.LookupEnv("CI"); errors.Is(err, unix.EPERM) && os.Geteuid() != 0 && !ci {
		tb.Skipf("only root can mount: %v", err)
	}
	Must(tb, err)
	tb.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			tb.Errorf("unmount: %v", err)
		}
	})
	return dir
}

// FillDisk takes every byte that is left on a file system. What it returns gives them back.
func FillDisk(tb testing.TB, dir string) (free func()) {
	tb.Helper()
	ballast := filepath.Join(dir, "ballast")
	f, err := os.OpenFile(ballast, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	Must(tb, err)
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			tb.Fatal(err)
		}
	}
	Must(tb, f.Close())
	return func() { tb.Helper(); Must(tb, os.Remove(ballast)) }
}

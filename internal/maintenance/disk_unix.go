//go:build linux || darwin

package maintenance

import "golang.org/x/sys/unix"

// freeBytes returns how many bytes files in the folder may still grow.
func freeBytes(dir string) (free uint64, known bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, false
	}
	return fs.Bavail * uint64(fs.Bsize), true //nolint:gosec // no block has a negative size
}

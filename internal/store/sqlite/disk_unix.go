//go:build linux || darwin

package sqlite

import "golang.org/x/sys/unix"

// DiskSpace returns how many bytes files in a folder may still grow, and how large its file system
// is. Both are 0 if that is unknown.
func DiskSpace(dir string) (free, size uint64) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil {
		return 0, 0
	}
	block := uint64(fs.Bsize) //nolint:gosec // no block has a negative size
	return fs.Bavail * block, fs.Blocks * block
}

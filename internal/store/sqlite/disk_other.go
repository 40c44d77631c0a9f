//go:build !linux && !darwin

package sqlite

// DiskSpace returns 0: the free space is unknown.
func DiskSpace(string) (free, size uint64) { return 0, 0 }

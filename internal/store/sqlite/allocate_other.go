//go:build !linux

package sqlite

import "os"

// allocate gives a file disk space up to its new size.
func allocate(f *os.File, from, size int64) error { return writeUpTo(f, from, size) }

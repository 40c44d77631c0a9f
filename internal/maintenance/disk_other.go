//go:build !linux && !darwin

package maintenance

// freeBytes returns that the free space is unknown.
func freeBytes(string) (free uint64, known bool) { return 0, false }

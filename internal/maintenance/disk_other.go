//go:build !linux && !darwin

package maintenance

// freeBytes does not know how to ask here.
func freeBytes(string) (free uint64, known bool) { return 0, false }

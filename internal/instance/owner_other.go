//go:build !unix

package instance

// checkOwner accepts every file: on this platform files have no owner to compare.
func checkOwner(string) error { return nil }

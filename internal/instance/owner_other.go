//go:build !unix

package instance

// checkOwner has nothing to look at here.
func checkOwner(string) error { return nil }

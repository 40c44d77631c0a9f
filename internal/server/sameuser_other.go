//go:build !unix

package server

// sameUser has nothing to look at here.
func sameUser(string) error { return nil }

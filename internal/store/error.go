package store

import "github.com/keysake/keysake/internal/vault"

// ErrClosed is the error of every call after the database was closed.
var ErrClosed = &vault.Error{Kind: vault.Unavailable, Detail: "The database is closed"}

// Unavailable is the error of a database that cannot be used for now.
func Unavailable(cause error) error {
	return &vault.Error{
		Kind:   vault.Unavailable,
		Detail: "The database cannot be used now: try again later",
		Cause:  cause,
	}
}

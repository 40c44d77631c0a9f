package sqlite

import (
	"errors"

	lib "modernc.org/sqlite/lib"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite/engine"
	"github.com/keysake/keysake/internal/vault"
)

// isFull reports whether an update may have failed because the disk is full: not every file system
// says so.
func isFull(err error) bool {
	failed, ok := errors.AsType[*engine.Error](err)
	return ok && (failed.Primary() == lib.SQLITE_FULL || failed.Primary() == lib.SQLITE_IOERR)
}

// isBusy reports whether another program had the database locked for all of [busyTimeout].
func isBusy(err error) bool {
	failed, ok := errors.AsType[*engine.Error](err)
	return ok && failed.Primary() == lib.SQLITE_BUSY
}

// classify gives an error of the engine its kind, by code and never by text.
func classify(err error) error {
	failed, ok := errors.AsType[*engine.Error](err)
	if !ok {
		return err
	}
	switch failed.Code {
	case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
		return &vault.Error{Kind: vault.Conflict, Detail: "Already exists", Cause: err}
	}
	switch failed.Primary() {
	case lib.SQLITE_FULL:
		return &vault.Error{Kind: vault.Unavailable, Detail: errLow.Detail, Cause: err}
	case lib.SQLITE_BUSY:
		return &vault.Error{
			Kind:   vault.Unavailable,
			Detail: "Another program keeps the database locked: try again later",
			Cause:  err,
		}
	case lib.SQLITE_IOERR,
		lib.SQLITE_READONLY,
		lib.SQLITE_CANTOPEN,
		lib.SQLITE_LOCKED,
		lib.SQLITE_NOMEM:
		return store.Unavailable(err)
	}
	return err
}

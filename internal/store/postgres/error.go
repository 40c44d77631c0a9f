package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/puddle/v2"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// An Error is one that PostgreSQL returned, without what may show a value: its detail, its hint,
// and the text of those about a value.
type Error struct {
	Code string // SQLSTATE
	Text string
}

func (e *Error) Error() string {
	if e.Text == "" {
		return "postgres: error " + e.Code
	}
	return fmt.Sprintf("postgres: %s (%s)", e.Text, e.Code)
}

// SQLSTATEs that are known by themselves, and classes of them.
const (
	uniqueViolation      = "23505"
	serializationFailure = "40001"
	deadlockDetected     = "40P01"
	completionUnknown    = "40003"

	insufficientPrivilege = "42501"

	classValue    = "22"
	classRollback = "40"
)

// unavailableCodes are the SQLSTATEs, or the classes of them, of what a later try may not meet.
//
//nolint:gochecknoglobals // it is a table: nothing writes to it
var unavailableCodes = []string{
	"08",    // connections
	"25006", // the server is a standby
	"25P03", // the transaction was idle for too long
	"40",    // collisions, after some tries
	"53",    // disk full, out of memory, too many connections
	"55P03", // a lock was not given in time
	"57",    // it shuts down, starts or crashed, or the statement took too long
	"58",    // errors of its disk
	"28",    // the role is not let in, which the operator may be changing
	"3D000", // there is no such database, as during a restore
}

// Causes of an outcome that nobody knows.
var (
	errNotCommitted = errors.New("the database answered a commit with something else")
	// PostgreSQL answers with a warning that the standbys may not have it. If the primary is lost
	// now, so is the change.
	errNotReplicated = errors.New("the database gave up waiting for its standbys")
)

// errNotText is the error of a text that PostgreSQL cannot keep. Nothing that it keeps is equal to
// it.
var errNotText = &vault.Error{
	Kind: vault.Invalid, Detail: "A text has a character that the database cannot keep",
}

// storable reports whether PostgreSQL takes the texts among the arguments: UTF-8 without NUL.
func storable(args []any) bool {
	for _, arg := range args {
		text, ok := arg.(string)
		if ok && (strings.IndexByte(text, 0) >= 0 || !utf8.ValidString(text)) {
			return false
		}
	}
	return true
}

// unknown is the error of a commit that may or may not have been made.
func unknown(cause error) error {
	return &vault.Error{
		Kind:   vault.Unavailable,
		Detail: "It is not known whether the change was made: look before you try again",
		Cause:  fmt.Errorf("commit: %w", cause),
	}
}

// classify gives an error of PostgreSQL its kind, by code and never by text. It leaves other errors
// as they are: an argument that cannot be sent is one.
func classify(err error) error {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	known := &Error{Code: failed.Code, Text: failed.Message}
	if strings.HasPrefix(known.Code, classValue) {
		known.Text = ""
	}
	if known.Code == uniqueViolation {
		return &vault.Error{Kind: vault.Conflict, Detail: "Already exists", Cause: known}
	}
	for _, code := range unavailableCodes {
		if strings.HasPrefix(known.Code, code) {
			return store.Unavailable(known)
		}
	}
	return known
}

// notConnected is the error for a connection that could not be made.
func notConnected(err error) error {
	if errors.Is(err, puddle.ErrClosedPool) {
		return store.ErrClosed
	}
	if err = classify(err); vault.KindOf(err) == vault.Internal {
		err = store.Unavailable(err)
	}
	return err
}

// A lostError is that of a connection that was lost.
type lostError struct{ cause error }

func (e *lostError) Error() string { return e.cause.Error() }
func (e *lostError) Unwrap() error { return e.cause }

// lost is the error for a connection that was lost. One that did not answer in time is not worth
// another try.
func lost(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return store.Unavailable(err)
	}
	return store.Unavailable(&lostError{classify(err)})
}

// mayRetry reports whether a transaction that met this error, and was undone, may succeed when it
// runs again.
func mayRetry(err error) bool {
	if _, found := errors.AsType[*lostError](err); found {
		return true
	}
	failed, found := errors.AsType[*Error](err)
	return found && (failed.Code == serializationFailure || failed.Code == deadlockDetected)
}

// rolledBack reports whether the error of a commit says that nothing remains.
func rolledBack(err error) bool {
	failed, ok := errors.AsType[*pgconn.PgError](err)
	return ok && failed.SeverityUnlocalized == "ERROR" &&
		strings.HasPrefix(failed.Code, classRollback) && failed.Code != completionUnknown
}

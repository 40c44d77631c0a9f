package store

import (
	"context"

	"github.com/google/uuid"
)

// A Conn is one connection to a database, in the transaction that its owner began. One goroutine
// uses it at a time. Placeholders are $1, $2, …; an argument is a string, an int64, a []byte or
// nil.
//
// A statement is not canceled half-way: it is short, and interrupting it would end a transaction
// that other callers may share.
//
// An error that a use case can act on is a [vault.Error]: Conflict for a key that already exists,
// Unavailable for a full disk, a lock or a lost connection.
type Conn interface {
	// Query calls each for every row of the result until each returns an error. In each the
	// connection is busy: it must not be used.
	Query(ctx context.Context, sql string, each func(Row) error, args ...any) error

	// Exec runs a statement that must change so many rows. NotFound: it changed fewer.
	//
	// A database may run it later in the transaction, with others that wait. If it fails then, the
	// transaction begins again, and each Exec runs where it is called and returns its error.
	Exec(ctx context.Context, rows int64, sql string, args ...any) error

	// Erase is Exec for a statement that deletes or replaces sealed data. If it changes a row, no
	// file of the database has the old bytes from the given time on.
	Erase(ctx context.Context, when Erasure, rows int64, sql string, args ...any) error

	// Changed says that the transaction saves a user's ledger, or the instance's for the nil id. It
	// is told to those who ask [vault.Store] before the transaction is answered.
	Changed(owner uuid.UUID)

	// Tell is [vault.Tx.TellAccess].
	Tell(ctx context.Context, owner uuid.UUID) error

	// Moment is [vault.Tx.Moment].
	Moment() uint64
}

// An Erasure says when data that a statement removed is gone from the database's files.
type Erasure int

const (
	// EraseSoon is for a value that was replaced: about a second after the commit, unless an older
	// snapshot is still being read.
	EraseSoon Erasure = iota + 1

	// EraseNow is for a value that was deleted: before Update returns. A snapshot that stays open
	// for long turns it into EraseSoon.
	EraseNow
)

// A Row is one row of a result, with its columns from 0. It is valid until the function that got it
// returns; what Text and Bytes return stays valid. NULL reads as the zero value.
type Row interface {
	Text(column int) string
	Int(column int) int64
	Bytes(column int) []byte
	IsNull(column int) bool
}

// A Dialect is the SQL in which databases differ.
type Dialect struct {
	// ForUpdate is the clause that ends a SELECT to lock its row until the transaction ends. It is
	// empty where transactions that write run one at a time.
	ForUpdate string

	// SkipLocked ends a SELECT that leaves rows to others which a transaction has locked, and locks
	// the rest. It is empty where transactions that write run one at a time.
	SkipLocked string
}

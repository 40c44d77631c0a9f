package vault

import (
	"context"

	"github.com/google/uuid"
)

// A StoredLedger is an [anchor.Ledger] as it is stored.
type StoredLedger struct {
	Owner  uuid.UUID // the user, or the id of the instance
	Number uint64    // the number that Signed has, too
	Signed []byte
}

type ledgerReader interface {
	// Ledger returns a user's ledger. NotFound: there never was such a user.
	Ledger(ctx context.Context, user uuid.UUID) (StoredLedger, error)
	// Ledgers calls each for the ledger of every user, deleted ones too, in the order of their ids.
	// each may use the reader.
	Ledgers(ctx context.Context, each func(StoredLedger) error) error
	// InstanceLedger returns the instance's. NotFound: the database is new.
	InstanceLedger(ctx context.Context) (StoredLedger, error)
}

type ledgerWriter interface {
	// LockLedger returns a user's ledger, which no other transaction changes before this one ends.
	// NotFound: there never was such a user.
	LockLedger(ctx context.Context, user uuid.UUID) (StoredLedger, error)
	// SaveLedger stores a user's ledger in place of the one of that number. NotFound: there is none
	// of that number.
	SaveLedger(ctx context.Context, l StoredLedger, was uint64) error
	// LockInstance is LockLedger for the instance. NotFound: the database is new.
	LockInstance(ctx context.Context) (StoredLedger, error)
	// SaveInstance is SaveLedger for the instance. It stores the first one if there is none.
	SaveInstance(ctx context.Context, l StoredLedger, was uint64) error
	// TellAccess has every process that shares the database told, once the transaction is
	// committed, that who is let in by a user's ledger has changed, or what the broker grants, or
	// who is let in by the instance's for the nil id.
	TellAccess(ctx context.Context, owner uuid.UUID) error
	// Moment numbers the ledger that was saved last, for [Store.Unchanged], if the transaction is
	// committed. It is 0 where the store does not know.
	Moment() uint64
}

// A library says whose ledger and audit chain a change is about.
type library struct {
	owner    uuid.UUID
	created  bool // the change itself creates the user, or the instance
	deleted  bool // the user may be deleted
	instance bool
}

// userLibrary is the library of a user who exists.
func userLibrary(user uuid.UUID) library { return library{owner: user} }

// anyLibrary is the library of a user who exists or was deleted.
func anyLibrary(user uuid.UUID) library { return library{owner: user, deleted: true} }

// newLibrary is the library of a user whom the change creates.
func newLibrary(user uuid.UUID) library { return library{owner: user, created: true} }

// instanceLibrary is for what touches no user's library.
func instanceLibrary() library { return library{instance: true} }

// newInstanceLibrary is the instance's in a database that is new.
func newInstanceLibrary() library { return library{instance: true, created: true} }

// further returns the ledger of a user whose library is only read. The second run of a change locks
// it: in the first, another server may have changed the library between its ledger and its rows,
// which shows as tampering.
func (s *snapshot) further(ctx context.Context, id uuid.UUID) (StoredLedger, error) {
	if s.locks != nil {
		return s.locks.LockLedger(ctx, id)
	}
	return s.rows.Ledger(ctx, id)
}

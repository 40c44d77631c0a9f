package vault

import (
	"context"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

// A Ledger is what every change of a library reads first and writes last: how many secrets there
// are, which owner key seals, and the end of the audit chain. The instance has one, too, of which
// only the id and the end of the chain are used.
type Ledger struct {
	Owner    uuid.UUID // the user, or the id of the instance
	Secrets  int
	OwnerKey uuid.UUID
	Head     audit.Head
}

type ledgerReader interface {
	// Ledger returns a user's ledger. NotFound: there is no such user.
	Ledger(ctx context.Context, user uuid.UUID) (Ledger, error)
	// InstanceLedger returns the instance's. NotFound: nothing was recorded in it yet.
	InstanceLedger(ctx context.Context) (Ledger, error)
}

type ledgerWriter interface {
	// LockLedger returns a user's ledger, which no other transaction changes before this one ends.
	// NotFound: there is no such user.
	LockLedger(ctx context.Context, user uuid.UUID) (Ledger, error)
	// SaveLedger stores a user's ledger.
	SaveLedger(ctx context.Context, l Ledger) error
	// LockInstance is LockLedger for the instance. NotFound: nothing was recorded in it yet.
	LockInstance(ctx context.Context) (Ledger, error)
	// SaveInstance stores the instance's ledger, the first time too.
	SaveInstance(ctx context.Context, l Ledger) error
}

// A library says whose ledger and audit chain a change is about.
type library struct {
	owner    uuid.UUID
	created  *Ledger // of a user whom the change itself creates
	instance bool
}

// userLibrary is the library of a user who exists.
func userLibrary(user uuid.UUID) library { return library{owner: user} }

// newLibrary is the library of a user whom the change creates, with the ledger that it begins with.
func newLibrary(l Ledger) library { return library{owner: l.Owner, created: &l} }

// instanceLibrary is for what touches no user's library.
func instanceLibrary() library { return library{instance: true} }

// lock returns the library's ledger, locked.
func (l library) lock(ctx context.Context, tx Tx) (Ledger, error) {
	switch {
	case l.created != nil:
		return *l.created, nil
	case !l.instance:
		return tx.LockLedger(ctx, l.owner)
	}
	ledger, err := tx.LockInstance(ctx)
	if KindOf(err) == NotFound {
		ledger.Owner, err = newID()
	}
	return ledger, err
}

// save stores the library's ledger.
func (l library) save(ctx context.Context, tx Tx, ledger Ledger) error {
	if l.instance {
		return tx.SaveInstance(ctx, ledger)
	}
	return tx.SaveLedger(ctx, ledger)
}

package vault

import (
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

// A Store runs functions in transactions. What it cannot do for reasons of its own (a full disk, a
// closed database) is an [Error] of kind [Unavailable].
//
// Each method may run fn again, after undoing what an earlier run did. So fn assigns to what it
// captures and never appends or adds to it; and it opens, seals, asks and starts nothing.
type Store interface {
	// View runs fn on a snapshot.
	View(ctx context.Context, fn func(Reader) error) error

	// Read runs fn without a transaction: each of its queries sees a moment of its own.
	Read(ctx context.Context, fn func(Reader) error) error

	// Update runs fn in a transaction, and returns nil only when what fn did is on the disk. If fn
	// returns an error or panics, nothing of it remains and the error is returned. A ctx that ends
	// before fn begins ends the wait, and fn never runs; after that the true outcome is returned.
	Update(ctx context.Context, fn func(Tx) error) error

	// UpdateReserved is Update for what must work on a full disk: it may use the room that the
	// store keeps for that.
	UpdateReserved(ctx context.Context, fn func(Tx) error) error

	// Moment numbers the commits that a View or Read sees which begins now.
	Moment() uint64

	// Unchanged reports whether a user's ledger and the instance's are still as they were at a
	// moment. An update counts before it is answered; that of another process counts after
	// [NoticedWithin] at the latest. It reports false where the store does not know.
	Unchanged(user uuid.UUID, since uint64) bool

	// SameAccess reports, with the same promise, whether all updates since a moment have left alone
	// who is let in by a user's ledger and the instance's, and what the broker grants: whether none
	// has called [Tx.TellAccess].
	SameAccess(user uuid.UUID, since uint64) bool
}

// NoticedWithin is how long after its commit an update of another process counts at the latest.
const NoticedWithin = 50 * time.Millisecond

// A Reader is what a use case may ask of a snapshot. Its parts are declared beside the code that
// uses them.
type Reader interface {
	rootKeyReader
	instanceKeyReader
	ownerKeyReader
	ledgerReader
	userReader
	apiKeyReader
	secretReader
	versionReader
	leaseReader
	usageReader
	brokerReader
	auditReader
	doneRequestReader
	deviceReader
	healthReader
	eventReader
}

// A Tx adds the changes.
type Tx interface {
	Reader
	ledgerWriter
	rootKeyWriter
	instanceKeyWriter
	ownerKeyWriter
	userWriter
	apiKeyWriter
	secretWriter
	versionWriter
	leaseWriter
	usageWriter
	brokerWriter
	auditWriter
	doneRequestWriter
	deviceWriter
	healthWriter
	eventWriter
}

type auditReader interface {
	// AuditEntries calls each for every entry of a chain, in order, until it returns an error.
	AuditEntries(ctx context.Context, owner uuid.UUID, each func(audit.Linked) error) error
	// AuditBetween is AuditEntries for the entries after one and up to another.
	AuditBetween(
		ctx context.Context, owner uuid.UUID, after, last uint64, each func(audit.Linked) error,
	) error
	// LastTarget returns the last entry of a chain whose target is of a kind. NotFound: there is
	// none.
	LastTarget(ctx context.Context, owner uuid.UUID, kind audit.TargetKind) (audit.Linked, error)
}

type auditWriter interface {
	// AppendAudit stores entries. Conflict: there is one of that number.
	AppendAudit(ctx context.Context, entries []audit.Linked) error
	// CutAudit removes the entries of a chain up to a number.
	CutAudit(ctx context.Context, owner uuid.UUID, last uint64) error
}

// Package anchor has what makes stored state count: the ledger, one signed table of contents for
// each user and one for the instance, and the entries by which it lists rows.
//
// A row counts if the ledger of its user lists its entry, which is a code over everything that the
// row says. So a row that was added, changed, moved, or put back from an older state does not
// count. The ledger is authenticated with the instance key. format.md, beside this file, specifies
// every byte. The package does no I/O.
package anchor

import "errors"

// The errors of ledgers.
var (
	// ErrTampered means that a ledger or row is not what a server stored.
	ErrTampered = errors.New(
		"anchor: the ledger was changed or moved, or another one put in its place")
	// ErrUnknownKey means that a ledger is signed with an instance key that is not configured.
	ErrUnknownKey = errors.New(
		"anchor: the ledger is signed with an instance key that is not configured")
	// ErrTooLong means that a ledger would be longer than [MaxLedger].
	ErrTooLong = errors.New("anchor: the ledger would be too long")
)

package doctor

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// A library is the rows of one owner, with the ledger that lists them if that verifies.
type library struct {
	owner
	ledger anchor.Ledger
	signer seal.InstanceKey
	signed bool
}

// instances returns the ledger of the instance, and reads which users it lists as gone.
func (e *examination) instances(ctx context.Context) (found []vault.StoredLedger, err error) {
	for l, err := range store.Instances(ctx, e.src) {
		switch {
		case err == nil:
			found = append(found, l)
			e.gone, _, _ = anchor.Open(l.Signed, uuid.Nil, e.instanceKeys)
			e.unseen = goneUsers(e.gone)
		case !e.damaged(err):
			return nil, err
		}
	}
	if len(found) != 1 {
		e.ledgers.add("there are %d ledgers of the instance, not one", len(found))
	}
	return found, nil
}

// goneUsers returns the users whom the instance's ledger lists.
func goneUsers(l anchor.Ledger) map[uuid.UUID]bool {
	users := map[uuid.UUID]bool{}
	for _, entry := range append(l.APIKeys.All(), l.Leases.All()...) {
		users[uuid.UUID(entry[:16])] = true
	}
	return users
}

// checkGone adds the users whom the instance's ledger lists and who have no row: of one who was
// deleted, the row with the ledger stays, and the audit chain.
func (e *examination) checkGone() {
	for _, user := range e.without {
		delete(e.unseen, user)
	}
	for user := range e.unseen {
		e.ledgers.add("user %s is missing, whom the ledger of the instance lists", user)
	}
}

// openLedger verifies the ledger of an owner.
func (e *examination) openLedger(o owner) library {
	user, name := o.Owner, "user "+o.Owner.String()
	if o.instance {
		user, name = uuid.Nil, "the instance"
	}
	l := library{owner: o}
	var err error
	l.ledger, l.signer, err = anchor.Open(o.Signed, user, e.instanceKeys)
	l.signed = err == nil
	deleted := l.ledger.State == anchor.Deleted
	switch {
	case errors.Is(err, anchor.ErrUnknownKey) && e.isClosed != nil &&
		e.isClosed(anchor.SignedBy(o.Signed)):
		e.unverified++
	case err != nil:
		e.ledgers.add("ledger of %s: %v", name, err)
	case l.ledger.Number != o.Number:
		e.ledgers.add("ledger of %s: its number is not that of the row", name)
	case o.instance:
	case e.isGone(l.ledger):
		e.ledgers.add("ledger of %s: it is of before the user was deleted or disabled", name)
	case !e.listsGone(l.ledger):
		e.ledgers.add("ledger of the instance: it is of before %s was deleted or disabled", name)
	case deleted == o.DeletedAt.IsZero(), !deleted && o.Identity() != l.ledger.Identity:
		e.ledgers.add("the row of %s is not what its ledger says", name)
	}
	return l
}

// isGone reports whether the instance's ledger lists a user as deleted or disabled whose own ledger
// says otherwise.
func (e *examination) isGone(l anchor.Ledger) bool {
	return e.gone.Leases.HasPrefix(l.User[:]) && l.State != anchor.Deleted ||
		e.gone.APIKeys.Has(l.User[:]) && l.State != anchor.Disabled
}

// listsGone reports whether the instance's ledger lists a user whose own ledger says that the user
// is deleted, one of those who were deleted last, or disabled.
func (e *examination) listsGone(l anchor.Ledger) bool {
	switch l.State {
	case anchor.Deleted:
		return e.gone.Leases.HasPrefix(l.User[:]) || e.gone.Leases.Len() >= vault.MaxDeleted
	case anchor.Disabled:
		return e.gone.APIKeys.Has(l.User[:])
	case anchor.Active, anchor.Repaired:
	}
	return true
}

// list checks that the set of a ledger lists a row, and reports whether it does.
func (e *examination) list(
	l library, set anchor.Set, row anchor.Row, width int, what string, id uuid.UUID,
) bool {
	listed := !l.signed || set.Has(row.Entry(l.signer, width))
	if !listed {
		e.ledgers.add("%s %s of user %s is not what the ledger lists: "+
			"it was added, changed or put back", what, id, l.Owner)
	}
	return listed
}

// complete checks that as many rows were listed as the ledger has.
func (e *examination) complete(l library, set anchor.Set, found int, what string) {
	if l.signed && set.Len() != found {
		e.ledgers.add("user %s has %d %s, of %d that the ledger lists", l.Owner, found, what,
			set.Len())
	}
}

package vault

import "github.com/google/uuid"

// A keptRef names rows of secrets, still sealed, that were verified with a ledger. They are found
// by the reading of that ledger, and so never with another state of it: a ledger that is read again
// is verified with rows that are read again.
type keptRef struct {
	reading uint64
	id      uuid.UUID
}

// allRows stands for the list of all secrets.
var allRows = uuid.Nil //nolint:gochecknoglobals // it is a constant

// current returns a user's ledger from the memory, if nothing has changed it in the database.
func (c *core) current(user uuid.UUID) (*verifiedLedger, bool) {
	l, found := c.verified.ledger(user)
	if !found || !c.store.Unchanged(user, l.since) {
		return nil, false
	}
	_, believed := c.instance.get(l.signer.ID())
	return l, believed
}

// keptRows returns rows that were verified with this ledger, or nil: nobody may change them.
func (p *page) keptRows(id uuid.UUID) []StoredSecret {
	if !p.kept {
		return nil
	}
	rows, _ := p.core.verified.get(keptRef{p.reading, id}).([]StoredSecret)
	return rows
}

// keepRows keeps rows that were verified with this ledger.
func (p *page) keepRows(id uuid.UUID, rows ...StoredSecret) {
	if p.kept {
		p.core.verified.add(keptRef{p.reading, id}, rows, sizeOf(rows))
	}
}

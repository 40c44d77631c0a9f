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

// remembered returns a user's ledger from the memory, and whether the database has the same. It is
// nil where the store does not even know whether access was taken since: then nothing in the memory
// counts.
func (c *core) remembered(user uuid.UUID) (known *verifiedLedger, same bool) {
	l, found := c.verified.ledger(user)
	if !found || !c.store.SameAccess(user, l.access) {
		return nil, false
	}
	if _, believed := c.instance.get(l.signer.ID()); !believed {
		return nil, false
	}
	return l, c.store.Unchanged(user, l.since)
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

package vault

import (
	"sync"

	"github.com/google/uuid"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// maxRows bounds, in bytes, the rows of secrets that are kept in memory.
	maxRows = 16 << 20
	// rowSize is what a row takes besides its texts and its mask, about.
	rowSize = 384
)

// KeptRows are rows of secrets, still sealed, that were verified with a ledger. They are found by
// the reading of that ledger, and so never with another state of it: a ledger that is read again is
// verified with rows that are read again.
type keptRows struct {
	mu   sync.Mutex
	rows *simplelru.LRU[keptRef, []StoredSecret]
	size int
}

type keptRef struct {
	reading uint64
	id      uuid.UUID
}

// allRows stands for the list of all secrets.
var allRows = uuid.Nil

func newKeptRows() *keptRows {
	k := &keptRows{}
	removed := func(_ keptRef, rows []StoredSecret) { k.size -= sizeOf(rows) }
	k.rows, _ = simplelru.NewLRU(maxRows/rowSize, removed) // it fails for a size of 0
	return k
}

func sizeOf(rows []StoredSecret) int {
	size := rowSize
	for _, s := range rows {
		size += rowSize + len(s.Name) + len(s.Provider) + len(s.SealedMask)
	}
	return size
}

func (k *keptRows) get(ref keptRef) []StoredSecret {
	k.mu.Lock()
	defer k.mu.Unlock()
	rows, _ := k.rows.Get(ref)
	return rows
}

func (k *keptRows) add(ref keptRef, rows []StoredSecret) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows.Remove(ref)
	k.size += sizeOf(rows)
	k.rows.Add(ref, rows)
	for k.size > maxRows {
		k.rows.RemoveOldest()
	}
}

func (k *keptRows) purge() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows.Purge()
}

// current returns a user's ledger from the memory, if nothing has changed it in the database.
func (c *core) current(user uuid.UUID) (*verifiedLedger, bool) {
	l, found := c.verified.ledgers.Get(user)
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
	return p.core.verified.rows.get(keptRef{p.reading, id})
}

// keepRows keeps rows that were verified with this ledger.
func (p *page) keepRows(id uuid.UUID, rows ...StoredSecret) {
	if p.kept {
		p.core.verified.rows.add(keptRef{p.reading, id}, rows)
	}
}

package vault

import (
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// What the vault keeps in memory, in bytes: a quarter of it owner keys that are open, and the rest
// what was verified. A user has one owner key, and many rows.
const (
	maxKept      = 32 << 20
	maxOwnerKeys = maxKept / 4 / ownerKeySize
	maxVerified  = maxKept - maxKept/4
)

// What is kept takes so many bytes without texts and blobs, by the size of its types, as the
// allocator rounds it. An entry is what the memory itself needs for each.
const (
	entrySize    = 256
	ownerKeySize = 2304
	ledgerSize   = 448
	lineSize     = 320
	keySize      = 384
	rowSize      = 224
)

func (l verifiedLedger) size() int { return ledgerSize + rounded(len(l.signed)) }

func (l line) size() int {
	size := lineSize
	for _, k := range l.keys {
		size += keySize + rounded(len(k.Name)+len(k.Masked)) +
			rounded(len(k.TermsJSON)+len(k.Presented))
		for _, scope := range k.Scopes {
			size += 16 + rounded(len(scope))
		}
	}
	return size
}

func sizeOf(rows []StoredSecret) int {
	size := 0
	for _, s := range rows {
		size += rowSize + rounded(len(s.Name)+len(s.Provider)+len(s.SealedMask))
	}
	return size
}

// rounded is what a text or blob takes, about.
func rounded(length int) int { return length + length/8 + 16 }

// A memory keeps entries of all kinds up to a number of bytes, by what was used last. It is safe
// for concurrent use.
type memory struct {
	mu      sync.Mutex
	entries *simplelru.LRU[any, entry]
	size    int
	most    int
}

type entry struct {
	what any
	size int
}

func newMemory(most int) *memory {
	m := &memory{most: most}
	removed := func(_ any, e entry) { m.size -= e.size }
	m.entries, _ = simplelru.NewLRU(most/entrySize, removed) // it fails for a size of 0
	return m
}

// get returns what is kept under a key, or nil. Nobody may change it.
func (m *memory) get(key any) any {
	m.mu.Lock()
	defer m.mu.Unlock()
	e, _ := m.entries.Get(key)
	return e.what
}

// add keeps something, whose size is without the entry's, in place of what the key had.
func (m *memory) add(key, what any, size int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := entry{what, size + entrySize}
	m.entries.Remove(key)
	m.size += e.size
	m.entries.Add(key, e)
	for m.size > m.most {
		m.entries.RemoveOldest()
	}
}

func (m *memory) remove(key any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries.Remove(key)
}

// purge forgets everything: other keys are believed now.
func (m *memory) purge() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries.Purge()
}

package vault

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
)

// wantCounted fails if a memory does not know how much it keeps, or keeps too much.
func wantCounted(t *testing.T, m *memory) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	size := 0
	for _, e := range m.entries.Values() {
		size += e.size
	}
	if m.size != size || size > m.most {
		t.Errorf("%d bytes are kept and %d counted, of %d", size, m.size, m.most)
	}
}

func TestWhatWasUsedLastIsKept(t *testing.T) {
	t.Parallel()
	v := newVerified()
	row := StoredSecret{Name: strings.Repeat("N", 100), SealedMask: make([]byte, 10_000)}
	ref := func(i int) keptRef { return keptRef{uint64(i), uuid.Nil} }
	const many = 5_000
	v.addLine(TokenHash{1}, line{keys: []APIKey{{Name: "used"}}})
	for i := range many {
		v.add(ref(i), []StoredSecret{row, row}, sizeOf([]StoredSecret{row, row}))
		v.add(ref(i), []StoredSecret{row}, sizeOf([]StoredSecret{row})) // in its place
		if _, ok := v.line(TokenHash{1}); !ok {
			t.Fatalf("what is used is dropped after %d", i)
		}
	}
	wantCounted(t, v.memory)
	if v.size < maxVerified/2 {
		t.Errorf("only %d bytes are kept", v.size)
	}
	if v.get(ref(many-1)) == nil || v.get(ref(0)) != nil {
		t.Error("it is not the oldest that is dropped")
	}
	if v.add(ref(0), "too large", maxVerified); v.get(ref(0)) != nil {
		t.Error("what is larger than the memory is kept")
	}
	wantCounted(t, v.memory)
	v.purge()
	if wantCounted(t, v.memory); v.size != 0 {
		t.Errorf("%d bytes are left of nothing", v.size)
	}
}

func TestAMemoryCountsWhatManyKeep(t *testing.T) {
	t.Parallel()
	v := &verified{memory: newMemory(1 << 20)}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 5_000 {
				user := uuid.UUID{0: byte(rand.IntN(200))}
				l := verifiedLedger{signed: make([]byte, rand.IntN(64<<10))}
				switch rand.IntN(6) {
				case 0:
					v.remove(user)
				case 1:
					v.addLine(TokenHash(append(user[:], user[:]...)), line{keys: make([]APIKey, 3)})
				case 2:
					v.add(keptRef{7, user}, []StoredSecret(nil), sizeOf(nil))
				case 3:
					if l, ok := v.ledger(user); ok && l.signed == nil {
						t.Error("it is another ledger")
					}
				case 4:
					if rand.IntN(500) == 0 {
						v.purge()
					}
				default:
					v.add(user, l, l.size())
				}
			}
		})
	}
	all.Wait()
	wantCounted(t, v.memory)
}

package vault

import (
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestRowsThatAreKeptHaveABound(t *testing.T) {
	t.Parallel()
	k := newKeptRows()
	row := StoredSecret{Name: strings.Repeat("N", 100), SealedMask: make([]byte, 10_000)}
	ref := func(i int) keptRef { return keptRef{uint64(i), uuid.Nil} }
	const many = 5_000
	for i := range many {
		k.add(ref(i), []StoredSecret{row, row})
		k.add(ref(i), []StoredSecret{row}) // in its place
	}
	size := 0
	for _, rows := range k.rows.Values() {
		size += sizeOf(rows)
	}
	if k.size != size || size > maxRows || size < maxRows/2 {
		t.Errorf("%d bytes are kept and %d counted, of %d", size, k.size, maxRows)
	}
	if k.get(ref(many-1)) == nil || k.get(ref(0)) != nil {
		t.Error("it is not the oldest that is dropped")
	}
	for i := range 2 * many {
		k.add(ref(i), nil)
	}
	if n := k.rows.Len(); n > maxRows/rowSize {
		t.Errorf("%d are kept", n)
	}
}

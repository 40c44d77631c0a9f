package anchor_test

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
)

// ledgerSeeds returns the ledgers of the vectors, and some that are none.
func ledgerSeeds(tb testing.TB) [][]byte {
	tb.Helper()
	seeds := [][]byte{{}, {1}, make([]byte, headerSize+16+32)}
	all := vectors(tb, "ledger")
	for _, name := range slices.Sorted(maps.Keys(all)) {
		signed := all[name].bytes("ledger")
		seeds = append(seeds, signed, signed[:len(signed)-32], append(slices.Clone(signed), 0))
	}
	return seeds
}

func TestTheFuzzerHasSeeds(t *testing.T) {
	if n := len(ledgerSeeds(t)); n < 12 {
		t.Errorf("FuzzOpen has only %d seeds", n)
	}
}

// FuzzOpen opens bytes as they are, of which only the vectors open, and signed: what opens then is
// signed again as the same bytes.
func FuzzOpen(f *testing.F) {
	genuine := map[string]bool{}
	for _, v := range vectors(f, "ledger") {
		genuine[string(v.bytes("ledger"))] = true
	}
	for _, seed := range ledgerSeeds(f) {
		f.Add(seed)
	}
	key := instanceKey(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		user := uuid.Nil
		if len(b) >= 33 {
			user = uuid.UUID(b[17:33])
		}
		before := bytes.Clone(b)
		_, _, err := anchor.Open(b, user, believe(key))
		if (err == nil) != genuine[string(b)] {
			t.Errorf("it opens: %v", err)
		}
		code := key.LedgerMAC(b)
		signed := append(slices.Clone(b), code[:]...)
		l, _, err := anchor.Open(signed, user, believe(key))
		if err == nil {
			if again, err := l.Sign(key); err != nil || !bytes.Equal(again, signed) {
				t.Errorf("it is signed again as other bytes: %v", err)
			}
		}
		if !bytes.Equal(b, before) {
			t.Error("the bytes were changed")
		}
	})
}

package seal_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/seal"
)

// blobSeeds returns every blob of the vectors, and some texts that are not blobs.
func blobSeeds(tb testing.TB) [][]byte {
	tb.Helper()
	seeds := [][]byte{
		{},
		{1},
		make([]byte, seal.Overhead),
		append([]byte{1}, make([]byte, 60)...),
		append([]byte{3}, make([]byte, seal.Overhead)...),
	}
	vectors := readVectors(tb)
	for _, name := range slices.Sorted(maps.Keys(vectors)) {
		seeds = append(seeds, vectors[name].blob)
	}
	return seeds
}

func TestTheFuzzersHaveSeeds(t *testing.T) {
	if n := len(blobSeeds(t)); n < 50 {
		t.Errorf("FuzzOpen and FuzzKeyID have only %d seeds", n)
	}
}

// FuzzOpen opens a blob like each vector that opens. Only blobs of the vectors may open; some open
// in two cases, because they are also the vectors of blobs that were moved.
func FuzzOpen(f *testing.F) {
	for _, blob := range blobSeeds(f) {
		f.Add(blob)
	}
	vectors, sealed := readVectors(f), map[string]bool{}
	for _, v := range vectors {
		sealed[string(v.blob)] = true
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		before := bytes.Clone(blob)
		for name, v := range vectors {
			if v.expect != opens {
				continue
			}
			a := v.attempt
			a.blob = blob
			plain, err := a.open()
			end := endOf(t, err)
			if end == opens && !sealed[string(blob)] {
				t.Errorf("a blob that was never sealed opens as %s", name)
			}
			if end != opens && len(plain) > 0 {
				t.Errorf("as %s it fails, but returns something", name)
			}
			if independent, independentEnd := a.read(); independentEnd != end ||
				!bytes.Equal(independent, plain) {
				t.Errorf("as %s it ends with %q, by the format with %q", name, end, independentEnd)
			}
		}
		if !bytes.Equal(before, blob) {
			t.Error("the blob was changed")
		}
	})
}

func FuzzKeyID(f *testing.F) {
	for _, blob := range blobSeeds(f) {
		f.Add(blob)
	}
	f.Fuzz(func(t *testing.T, blob []byte) {
		id, err := seal.KeyID(blob)
		isBlob := len(blob) >= 61 && blob[0] == 1 || len(blob) >= 17 && blob[0] == 2 ||
			len(blob) >= 45 && blob[0] == 3
		switch {
		case isBlob && (err != nil || !bytes.Equal(id[:], blob[1:17])):
			t.Errorf("of a blob: %s (%v)", id, err)
		case !isBlob && (!errors.Is(err, seal.ErrFormat) || id != uuid.Nil):
			t.Errorf("of what is no blob: %s (%v)", id, err)
		}
	})
}

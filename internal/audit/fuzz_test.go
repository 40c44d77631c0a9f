package audit_test

import (
	"bytes"
	"testing"

	"github.com/keysake/keysake/internal/audit"
)

// The seeds of the fuzzers, which a test finds not to be empty.
func entrySeeds(tb testing.TB) (seeds [][]byte) {
	tb.Helper()
	for _, e := range fiveEntries().entries {
		seeds = append(seeds, e.Canonical())
	}
	h := newHouse()
	h.checkpoint(tb)
	seeds = append(seeds, h.chains[0].entries[0].Canonical())
	return append(seeds, seeds[0][:60], nil, append(bytes.Clone(seeds[1]), 0))
}

func noteSeeds(tb testing.TB) [][]byte {
	tb.Helper()
	h := newHouse()
	one, two := h.checkpoint(tb).note, h.checkpoint(tb).note
	return [][]byte{
		one, two, vectors(tb)["note"], bytes.ToUpper(one), one[:len(one)/2],
		append(bytes.Clone(one), two...), []byte("keysake checkpoint v1\n\n"), nil,
	}
}

// smallHouse keeps inputs so small that a fuzzer can reduce them.
func smallHouse() *house {
	h := newHouse()
	h.chains = h.chains[:3]
	return h
}

func exportSeeds(tb testing.TB) [][]byte {
	tb.Helper()
	h := smallHouse()
	k := h.checkpoint(tb)
	whole := h.export(tb, k)
	return [][]byte{
		whole, h.exportOne(tb, k, 2), vectors(tb)["whole"], vectors(tb)["alone"],
		whole[:len(whole)-1], whole[:40], []byte("keysake audit export v1\n"), nil,
	}
}

func TestTheFuzzersHaveSeeds(t *testing.T) {
	for name, seeds := range map[string][][]byte{
		"FuzzParseEntry": entrySeeds(t), "FuzzOpenCheckpoint": noteSeeds(t),
		"FuzzVerify": exportSeeds(t), "FuzzParseLeaves": {vectors(t)["leaves"]},
	} {
		if len(seeds) == 0 || len(seeds[0]) < 100 {
			t.Errorf("%s has no seeds", name)
		}
	}
}

func FuzzParseEntry(f *testing.F) {
	for _, b := range entrySeeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := audit.ParseEntry(b)
		if err == nil && !bytes.Equal(e.Canonical(), b) {
			t.Error("two forms are read as one entry")
		}
	})
}

func FuzzOpenCheckpoint(f *testing.F) {
	signed := map[string]bool{}
	keys := []string{newHouse().verifier(f), string(vectors(f)["key"])}
	for _, b := range noteSeeds(f) {
		f.Add(b)
		if c, err := audit.OpenCheckpoint(b, keys...); err == nil {
			signed[c.Hash().String()] = true
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := audit.OpenCheckpoint(b, keys...); err == nil && !signed[c.Hash().String()] {
			t.Errorf("%+v was never signed", c)
		}
	})
}

func FuzzParseLeaves(f *testing.F) {
	f.Add(vectors(f)["leaves"])
	f.Add(vectors(f)["leaves"][:57])
	f.Fuzz(func(t *testing.T, b []byte) {
		leaves, err := audit.ParseLeaves(b)
		if err == nil && !bytes.Equal(audit.AppendLeaves(nil, leaves), b) {
			t.Error("two files are read as the same leaves")
		}
	})
}

// FuzzVerify finds an export that holds, and is none of those that were written.
func FuzzVerify(f *testing.F) {
	written := map[string]bool{}
	h := smallHouse()
	earlier := h.checkpoint(f).earlier()
	for i, b := range exportSeeds(f) {
		f.Add(b)
		written[string(b)] = i < 4
	}
	trust := audit.Trust{Keys: []string{h.verifier(f), string(vectors(f)["key"])}}
	later := trust
	later.Earlier = earlier
	f.Fuzz(func(t *testing.T, b []byte) {
		report, err := trust.Verify(bytes.NewReader(b))
		if holds := err == nil && len(report.Faults) == 0; holds && !written[string(b)] {
			t.Errorf("it was never written: %+v", report)
		}
		if _, laterErr := later.Verify(bytes.NewReader(b)); (err == nil) != (laterErr == nil) {
			t.Errorf("without an earlier checkpoint %v, with one %v", err, laterErr)
		}
	})
}

package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

// vectors returns the lines of testdata/checkpoint.txt by their names, out of hexadecimal.
func vectors(tb testing.TB) map[string][]byte {
	tb.Helper()
	text, err := os.ReadFile("testdata/checkpoint.txt")
	if err != nil {
		tb.Fatal(err)
	}
	read := map[string][]byte{}
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		if read[name], err = hex.DecodeString(value); strings.HasSuffix(name, "key") {
			read[name], err = []byte(value), nil
		}
		if err != nil {
			tb.Fatalf("%s: %v", name, err)
		}
	}
	return read
}

func TestTheNoteIsTheOneOfTheVectors(t *testing.T) {
	want := vectors(t)
	leaves, err := audit.ParseLeaves(want["leaves"])
	if err != nil {
		t.Fatal(err)
	}
	c := audit.Checkpoint{
		InstanceKey: uuid.MustParse("00112233-4455-8677-8899-aabbccddeeff"),
		Number:      2,
		At:          time.Date(2026, 4, 15, 12, 0, 0, 4000, time.UTC),
		Chains:      3,
		Root:        audit.Root(leaves),
		Before:      audit.Hash(bytes.Repeat([]byte{0x11}, 32)),
	}
	signed, err := c.Sign(ed25519.NewKeyFromSeed(want["seed"]))
	if err != nil || !bytes.Equal(signed, want["note"]) {
		t.Errorf("%v: the note is\n%s\nwant\n%s", err, signed, want["note"])
	}
	if hash := c.Hash(); !bytes.Equal(hash[:], want["hash"]) {
		t.Errorf("its hash is %s", hash)
	}
	opened, err := audit.OpenCheckpoint(want["note"], string(want["key"]))
	if err != nil || opened != c {
		t.Errorf("%v: %+v", err, opened)
	}
	if !bytes.Equal(audit.AppendLeaves(nil, leaves), want["leaves"]) {
		t.Error("the leaves are written differently")
	}
}

func TestTheSuccessionIsTheOneOfTheVectors(t *testing.T) {
	want := vectors(t)
	s := audit.Succession{
		From: uuid.MustParse("00112233-4455-8677-8899-aabbccddeeff"),
		Key:  string(want["new key"]),
		At:   time.Date(2026, 4, 15, 12, 0, 0, 4000, time.UTC),
		Last: 2,
		Hash: audit.Hash(bytes.Repeat([]byte{0x11}, 32)),
	}
	signed, err := s.Sign(ed25519.NewKeyFromSeed(want["seed"]))
	if err != nil || !bytes.Equal(signed, want["succession"]) {
		t.Errorf("%v: the succession is\n%s\nwant\n%s", err, signed, want["succession"])
	}
	opened, err := audit.OpenSuccession(want["succession"], string(want["key"]))
	if err != nil || opened != s {
		t.Errorf("%v: %+v", err, opened)
	}
}

func TestRootsAreTheOnesOfTheVectors(t *testing.T) {
	want := vectors(t)
	var leaves []audit.Leaf
	for n := range byte(10) {
		if root := audit.Root(leaves); !bytes.Equal(root[:], want[fmt.Sprintf("root %d", n)]) {
			t.Errorf("of %d leaves the root is %s", n, root)
		}
		leaves = append(leaves, audit.Leaf{
			Owner: fakeID(n + 1),
			Head:  audit.Head{Seq: uint64(n + 1), Hash: sha256.Sum256([]byte{n + 1})},
		})
	}
}

func TestTheExportsOfTheVectorsHoldAndAreWrittenAgain(t *testing.T) {
	want := vectors(t)
	leaves, err := audit.ParseLeaves(want["leaves"])
	if err != nil {
		t.Fatal(err)
	}
	trust := audit.Trust{Keys: []string{string(want["key"])}, Note: want["note"]}
	for name, x := range map[string]audit.Export{
		"whole": {Leaves: leaves},
		"alone": {Leaves: leaves[2:], Index: 2, Proof: audit.Prove(leaves, 2)},
	} {
		report, err := trust.Verify(bytes.NewReader(want[name]))
		if err != nil || len(report.Faults) > 0 {
			t.Errorf("%s: %v %v", name, err, report.Faults)
		}
		if report.Whole != (name == "whole") || report.Chains != uint64(len(x.Leaves)) {
			t.Errorf("%s: %+v", name, report)
		}
		x.Note = want["note"]
		var again bytes.Buffer
		if err := x.Write(&again, entriesOf(t, want[name])); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(hex.Dump(want[name]), hex.Dump(again.Bytes())); diff != "" {
			t.Errorf("%s is written differently\n%s", name, diff)
		}
	}
}

// entriesOf finds the entries of an export by their tag, apart from the package's own reader.
func entriesOf(t *testing.T, export []byte) audit.Entries {
	t.Helper()
	chains := map[uuid.UUID][]audit.Linked{}
	cuts := map[uuid.UUID]audit.Head{}
	tag := []byte("keysake audit entry v1\n")
	for from := 0; ; {
		next := bytes.Index(export[from:], tag)
		if next < 0 {
			break
		}
		from += next
		size := int(export[from-2])<<8 | int(export[from-1])
		e, err := audit.ParseEntry(export[from : from+size])
		if err != nil {
			t.Fatal(err)
		}
		if len(chains[e.Owner]) == 0 {
			cuts[e.Owner] = audit.Head{Seq: e.Seq - 1, Hash: audit.Hash(export[from-36 : from-4])}
		}
		hash := audit.Hash(export[from+size : from+size+32])
		chains[e.Owner] = append(chains[e.Owner], audit.Linked{Entry: e, Hash: hash})
		from += size
	}
	return func(l audit.Leaf) (audit.Head, iter.Seq2[audit.Linked, error]) {
		return cuts[l.Owner], audit.Sequence(chains[l.Owner])
	}
}

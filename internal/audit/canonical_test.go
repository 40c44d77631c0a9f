package audit_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/audit"
)

// A golden entry is canonical bytes and the hash after them.
type golden struct{ canonical, hash []byte }

func readGolden(t *testing.T) (read []golden) {
	t.Helper()
	text, err := os.ReadFile("testdata/chain.txt")
	if err != nil {
		t.Fatal(err)
	}
	var next golden
	for line := range strings.Lines(string(text)) {
		name, value, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found || strings.HasPrefix(line, "#") {
			continue
		}
		part, err := hex.DecodeString(value)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if name != "hash" {
			next.canonical = append(next.canonical, part...)
			continue
		}
		next.hash = part
		read, next = append(read, next), golden{}
	}
	return read
}

func TestCanonicalBytesAndHashesAreTheOnesOfTheFile(t *testing.T) {
	entries := []audit.Entry{
		{
			Owner: fakeID(1), At: time.UnixMicro(-1), Action: "user.create", Outcome: audit.Done,
			Target: audit.Target{Kind: audit.TargetUser, ID: fakeID(1), Name: "å-user"},
		},
		{
			Owner:      fakeID(1),
			At:         time.Date(2026, 4, 15, 14, 0, 0, 123_456_000, time.FixedZone("east", 7200)),
			User:       fakeID(1),
			Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: fakeID(2)},
			OnBehalfOf: fakeID(4),
			Client:     netip.MustParseAddr("2001:db8::7"),
			Action:     "secret.update",
			Outcome:    audit.Refused,
			Target: audit.Target{
				Kind: audit.TargetSecret, ID: fakeID(3), Name: "OPENAI_API_KEY",
				Version: math.MaxUint64,
			},
			Lease: fakeID(5),
			Run:   "nightly",
		},
	}
	want := readGolden(t)
	if len(want) != len(entries) {
		t.Fatalf("the file has %d entries, the test %d", len(want), len(entries))
	}
	var head audit.Head
	for i, e := range entries {
		head = head.Append(&e)
		if got := e.Canonical(); !bytes.Equal(got, want[i].canonical) {
			t.Errorf("entry %d has the canonical bytes\n%x, want\n%x", i+1, got, want[i].canonical)
		}
		if !bytes.Equal(head.Hash[:], want[i].hash) {
			t.Errorf("entry %d has the hash %x, want %x", i+1, head.Hash, want[i].hash)
		}
	}
}

func TestTheTimeZoneIsNoPartOfAnEntry(t *testing.T) {
	at := time.UnixMicro(1_776_254_400_000_000)
	a, b := audit.Entry{At: at.UTC()}, audit.Entry{At: at.In(time.FixedZone("somewhere", -5*3600))}
	if !bytes.Equal(a.Canonical(), b.Canonical()) {
		t.Error("the canonical bytes differ")
	}
}

func TestTextsCannotRunIntoEachOther(t *testing.T) {
	a := audit.Entry{Action: "ab", Outcome: "c", Run: "d"}
	for _, b := range []audit.Entry{
		{Action: "a", Outcome: "bc", Run: "d"},
		{Action: "abc", Outcome: "", Run: "d"},
		{Action: "ab", Outcome: "cd", Run: ""},
		{Action: "", Outcome: "abc", Run: "d"},
		{Action: "ab\x00\x00\x00\x01c", Outcome: "", Run: "d"},
		{Action: "ab", Target: audit.Target{Kind: "c"}, Run: "d"},
		{Action: "ab", Target: audit.Target{Name: "c"}, Run: "d"},
	} {
		if bytes.Equal(a.Canonical(), b.Canonical()) {
			t.Errorf("%+v and %+v have the same canonical bytes", a, b)
		}
	}
}

func TestDifferentEntriesHaveDifferentCanonicalBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawEntry(t), drawEntry(t)
		if (a == b) != bytes.Equal(a.Canonical(), b.Canonical()) {
			t.Errorf("%+v\n%+v", a, b)
		}
	})
}

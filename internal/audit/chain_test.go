package audit_test

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

func fakeID(last byte) uuid.UUID { return uuid.UUID{6: 0x70, 8: 0x80, 15: last} }

// A chain is what a database holds: entries with their hashes, and the head that stands apart.
type chain struct {
	owner   uuid.UUID
	entries []audit.Linked
	head    audit.Head
}

func (c *chain) add(e audit.Entry) {
	e.Owner = c.owner
	c.head = c.head.Append(&e)
	c.entries = append(c.entries, audit.Linked{Entry: e, Hash: c.head.Hash})
}

func (c *chain) verify() error {
	return audit.VerifyChain(c.owner, audit.Sequence(c.entries), c.head)
}

// fiveEntries returns a chain with everything set in each entry.
func fiveEntries() *chain {
	c := &chain{owner: fakeID(1)}
	for i := range 5 {
		c.add(audit.Entry{
			At:         time.UnixMicro(1_776_254_400_000_000 + int64(i)),
			User:       fakeID(1),
			Credential: audit.Credential{Kind: audit.CredentialAPIKey, ID: fakeID(2)},
			OnBehalfOf: fakeID(4),
			Client:     netip.MustParseAddr("192.0.2.7"),
			Action:     "secret.update",
			Outcome:    audit.Done,
			Target: audit.Target{
				Kind: audit.TargetSecret, ID: fakeID(byte(0x10 + i)), Name: "SOME_NAME",
				Version: uint64(i + 1),
			},
			Lease: fakeID(5),
			Run:   "nightly",
		})
	}
	return c
}

// assertBreak wants the chain to break at the entry of that number.
func assertBreak(t *testing.T, err error, owner uuid.UUID, seq uint64) {
	t.Helper()
	broken, ok := errors.AsType[*audit.BreakError](err)
	if !ok {
		t.Errorf("the chain holds, but should break at entry %d (%v)", seq, err)
		return
	}
	if broken.Owner != owner || broken.Seq != seq || broken.Reason == "" {
		t.Errorf("got %v, want a break at entry %d", broken, seq)
	}
	if text := broken.Error(); !strings.Contains(text, owner.String()) ||
		!strings.Contains(text, broken.Reason) {
		t.Errorf("the message lacks the owner or the reason: %s", text)
	}
}

func TestAChainOfWhatWasAppendedHolds(t *testing.T) {
	c := fiveEntries()
	if err := c.verify(); err != nil {
		t.Error(err)
	}
	if err := (&chain{owner: fakeID(1)}).verify(); err != nil {
		t.Errorf("an empty one: %v", err)
	}
	for i, e := range c.entries {
		if e.Seq != uint64(i+1) {
			t.Errorf("entry %d has the number %d", i+1, e.Seq)
		}
	}
}

// flips changes each field of an entry, each as little as can be.
var flips = map[string]func(*audit.Entry){
	"Owner":           func(e *audit.Entry) { e.Owner[15] ^= 1 },
	"Seq":             func(e *audit.Entry) { e.Seq++ },
	"At":              func(e *audit.Entry) { e.At = e.At.Add(time.Microsecond) },
	"User":            func(e *audit.Entry) { e.User[0] ^= 0x80 },
	"Credential.Kind": func(e *audit.Entry) { e.Credential.Kind += " " },
	"Credential.ID":   func(e *audit.Entry) { e.Credential.ID[15] ^= 1 },
	"OnBehalfOf":      func(e *audit.Entry) { e.OnBehalfOf[15] ^= 1 },
	"Client":          func(e *audit.Entry) { e.Client = flipAddr(e.Client) },
	"Action":          func(e *audit.Entry) { e.Action += " " },
	"Outcome":         func(e *audit.Entry) { e.Outcome += " " },
	"Target.Kind":     func(e *audit.Entry) { e.Target.Kind += " " },
	"Target.ID":       func(e *audit.Entry) { e.Target.ID[15] ^= 1 },
	"Target.Name":     func(e *audit.Entry) { e.Target.Name += " " },
	"Target.Version":  func(e *audit.Entry) { e.Target.Version-- },
	"Lease":           func(e *audit.Entry) { e.Lease[15] ^= 1 },
	"Run":             func(e *audit.Entry) { e.Run += " " },
}

func flipAddr(a netip.Addr) netip.Addr {
	if a.IsValid() {
		return a.Next()
	}
	return netip.IPv4Unspecified()
}

// fieldNames returns the names of an entry's fields, those of its parts after a dot.
func fieldNames(of reflect.Type, prefix string) (names []string) {
	for f := range of.Fields() {
		switch f.Type {
		case reflect.TypeFor[audit.Credential](), reflect.TypeFor[audit.Target]():
			names = append(names, fieldNames(f.Type, f.Name+".")...)
		default:
			names = append(names, prefix+f.Name)
		}
	}
	return names
}

func TestAChangedFieldBreaksTheChainAtItsEntry(t *testing.T) {
	for _, name := range fieldNames(reflect.TypeFor[audit.Entry](), "") {
		flip, found := flips[name]
		if !found {
			t.Errorf("nothing here changes %s", name)
			continue
		}
		for i := range 5 {
			c := fiveEntries()
			flip(&c.entries[i].Entry)
			t.Run(name, func(t *testing.T) { assertBreak(t, c.verify(), c.owner, uint64(i+1)) })
		}
	}
}

func TestAChangedHashBreaksTheChainAtItsEntry(t *testing.T) {
	for i := range 5 {
		c := fiveEntries()
		c.entries[i].Hash[31] ^= 1
		assertBreak(t, c.verify(), c.owner, uint64(i+1))
	}
}

func TestAnEntryThatWasChangedWithItsHashBreaksTheChainAtTheNext(t *testing.T) {
	for i := range 5 {
		c := fiveEntries()
		before := audit.Head{}
		if i > 0 {
			before = audit.Head{Seq: uint64(i), Hash: c.entries[i-1].Hash}
		}
		c.entries[i].Target.Name = "OTHER_NAME"
		c.entries[i].Hash = before.Append(&c.entries[i].Entry).Hash
		// after the last one it is the head that does not agree
		assertBreak(t, c.verify(), c.owner, uint64(i+2))
	}
}

func TestAMissingEntryBreaksTheChainWhereItWas(t *testing.T) {
	for i := range 5 { // the last one is the tail
		c := fiveEntries()
		c.entries = slices.Delete(c.entries, i, i+1)
		assertBreak(t, c.verify(), c.owner, uint64(i+1))
	}
}

func TestAMissingEndBreaksTheChainAfterTheLastEntry(t *testing.T) {
	for kept := range 5 {
		c := fiveEntries()
		c.entries = c.entries[:kept]
		assertBreak(t, c.verify(), c.owner, uint64(kept+1))
	}
}

func TestSwappedEntriesBreakTheChainAtTheFirstOfThem(t *testing.T) {
	for i := range 5 {
		for j := range i {
			c := fiveEntries()
			c.entries[i], c.entries[j] = c.entries[j], c.entries[i]
			assertBreak(t, c.verify(), c.owner, uint64(j+1))

			c = fiveEntries() // with the numbers of their new places
			c.entries[i], c.entries[j] = c.entries[j], c.entries[i]
			c.entries[i].Seq, c.entries[j].Seq = c.entries[j].Seq, c.entries[i].Seq
			assertBreak(t, c.verify(), c.owner, uint64(j+1))
		}
	}
}

func TestAnInsertedEntryBreaksTheChain(t *testing.T) {
	for i := range 6 {
		c := fiveEntries()
		again := c.entries[max(i-1, 0)]
		c.entries = slices.Insert(c.entries, i, again)
		assertBreak(t, c.verify(), c.owner, uint64(max(i, 1)+1))

		c = fiveEntries() // one that goes well with what stands before it: only what follows tells
		before := audit.Head{}
		if i > 0 {
			before = audit.Head{Seq: uint64(i), Hash: c.entries[i-1].Hash}
		}
		forged := audit.Linked{
			Entry: audit.Entry{Owner: c.owner, Action: "secret.read", Outcome: audit.Done},
		}
		forged.Hash = before.Append(&forged.Entry).Hash
		c.entries = slices.Insert(c.entries, i, forged)
		assertBreak(t, c.verify(), c.owner, uint64(i+2))
	}
}

func TestAnotherUsersEntryBreaksTheChain(t *testing.T) {
	c, other := fiveEntries(), &chain{owner: fakeID(9)}
	for _, e := range c.entries {
		other.add(e.Entry)
	}
	c.entries[2] = other.entries[2]
	assertBreak(t, c.verify(), c.owner, 3)
	if err := other.verify(); err != nil {
		t.Errorf("the other user's own chain: %v", err)
	}
	err := audit.VerifyChain(c.owner, audit.Sequence(other.entries), other.head)
	assertBreak(t, err, c.owner, 1)
}

func TestAChainMustEndWhereItsHeadSays(t *testing.T) {
	for name, change := range map[string]func(*audit.Head){
		"hash":           func(h *audit.Head) { h.Hash[0] ^= 1 },
		"number":         func(h *audit.Head) { h.Seq++ },
		"smaller number": func(h *audit.Head) { h.Seq-- },
		"nothing":        func(h *audit.Head) { *h = audit.Head{} },
	} {
		c := fiveEntries()
		change(&c.head)
		t.Run(name, func(t *testing.T) { assertBreak(t, c.verify(), c.owner, 6) })
	}
}

func TestAnErrorWhileReadingIsNotTakenForABreak(t *testing.T) {
	c, failed := fiveEntries(), errors.New("the disk is gone")
	err := audit.VerifyChain(c.owner, func(yield func(audit.Linked, error) bool) {
		if yield(c.entries[0], nil) {
			yield(audit.Linked{}, failed)
		}
	}, c.head)
	if !errors.Is(err, failed) {
		t.Errorf("got %v", err)
	}
	if _, broken := errors.AsType[*audit.BreakError](err); broken {
		t.Error("it is a break")
	}
}

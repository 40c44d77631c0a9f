package audit_test

import (
	"errors"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/audit"
)

// drawEntry draws from few values, so that two entries are often alike but for one field.
func drawEntry(t *rapid.T) audit.Entry {
	id := func(label string) uuid.UUID { return fakeID(rapid.ByteRange(0, 3).Draw(t, label)) }
	text := func(label string) string { return rapid.StringN(0, 3, -1).Draw(t, label) }
	return audit.Entry{
		Owner: id("owner"),
		Seq:   rapid.Uint64Range(0, 2).Draw(t, "seq"),
		At:    time.UnixMicro(rapid.Int64Range(-1, 1).Draw(t, "at")).UTC(),
		User:  id("user"),
		Credential: audit.Credential{
			Kind: audit.CredentialKind(text("credential kind")), ID: id("credential"),
		},
		OnBehalfOf: id("on behalf of"),
		Client: rapid.SampledFrom([]netip.Addr{
			{}, netip.IPv4Unspecified(), netip.IPv6Unspecified(),
		}).Draw(t, "client"),
		Action:  text("action"),
		Outcome: rapid.SampledFrom([]audit.Outcome{audit.Done, audit.Refused}).Draw(t, "outcome"),
		Target: audit.Target{
			Kind: audit.TargetKind(text("target kind")), ID: id("target"), Name: text("name"),
			Version: rapid.Uint64Range(0, 2).Draw(t, "version"),
		},
		Lease: id("lease"),
		Run:   text("run"),
	}
}

func drawChain(t *rapid.T) *chain {
	c := &chain{owner: fakeID(0x77)}
	for range rapid.IntRange(1, 12).Draw(t, "length") {
		c.add(drawEntry(t))
	}
	return c
}

// damage draws one change of the stored entries and makes it. It returns the number of the entry at
// which the chain has to break.
func damage(t *rapid.T, c *chain) uint64 {
	at := func(label string) int { return rapid.IntRange(0, len(c.entries)-1).Draw(t, label) }
	i := at("at")
	switch rapid.SampledFrom(
		[]string{"field", "hash", "delete", "swap", "insert", "truncate", "head"},
	).
		Draw(t, "damage") {
	case "field":
		field := rapid.SampledFrom(sortedFlips()).Draw(t, "field")
		flips[field](&c.entries[i].Entry)
	case "hash":
		c.entries[i].Hash[rapid.IntRange(0, 31).Draw(t, "byte")] ^= 1
	case "delete":
		c.entries = slices.Delete(c.entries, i, i+1)
	case "swap":
		j := at("with")
		if i == j {
			t.Skip("with itself")
		}
		c.entries[i], c.entries[j] = c.entries[j], c.entries[i]
		return uint64(min(i, j) + 1)
	case "insert":
		c.entries = slices.Insert(c.entries, i, audit.Linked{Entry: drawEntry(t)})
	case "truncate":
		c.entries = c.entries[:i]
	case "head":
		c.head.Hash[0] ^= 1
		return uint64(len(c.entries) + 1)
	}
	return uint64(i + 1)
}

func sortedFlips() []string {
	names := make([]string, 0, len(flips))
	for name := range flips {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func TestEveryChainHoldsAndEveryDamageIsFoundWhereItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawChain(t)
		if err := c.verify(); err != nil {
			t.Fatalf("before the damage: %v", err)
		}
		want := damage(t, c)
		err := c.verify()
		broken, ok := errors.AsType[*audit.BreakError](err)
		if !ok {
			t.Fatalf("it was not found (%v)", err)
		}
		if broken.Seq != want || broken.Owner != c.owner {
			t.Fatalf("%v, but the damage is at entry %d", broken, want)
		}
	})
}

package anchor_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
)

// tester is a test, rapid's or not.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
}

// wantSame compares ledgers, whatever key signed them.
func wantSame(t tester, got, want anchor.Ledger) {
	t.Helper()
	parts := func(l anchor.Ledger) []any {
		return []any{
			l.User,
			l.Number,
			l.State,
			l.OwnerKey,
			l.PreviousKey,
			l.Seals,
			l.Identity,
			l.Cut,
			l.Head,
			l.Secrets.All(),
			l.Versions.All(),
			l.APIKeys.All(),
			l.Leases.All(),
		}
	}
	if diff := cmp.Diff(parts(want), parts(got)); diff != "" {
		t.Errorf("another ledger (-want +got):\n%s", diff)
	}
}

func newKey(tb testing.TB) seal.InstanceKey {
	tb.Helper()
	return must(seal.NewInstanceKey())
}

// headerSize is the length of a ledger's fields, before its first list.
const headerSize = 194

// resigned returns a ledger after a change of its body, signed again.
func resigned(key seal.InstanceKey, signed []byte, change func(body []byte) []byte) []byte {
	body := change(slices.Clone(signed[:len(signed)-32]))
	code := key.LedgerMAC(body)
	return append(body, code[:]...)
}

func TestEveryBitOfALedgerCounts(t *testing.T) {
	key, other := instanceKey(t), newKey(t)
	for name, v := range vectors(t, "ledger") {
		signed, user := v.bytes("ledger"), v.id("user")
		for bit := range len(signed) * 8 {
			changed := slices.Clone(signed)
			changed[bit/8] ^= 1 << (bit % 8)
			want := anchor.ErrTampered
			if at := bit / 8; at >= 1 && at <= 16 {
				want = anchor.ErrUnknownKey
			}
			_, _, err := anchor.Open(changed, user, believe(key, other))
			if !errors.Is(err, want) {
				t.Fatalf("%s with bit %d flipped: got %v, want %v", name, bit, err, want)
			}
		}
		for n := range signed {
			if _, _, err := anchor.Open(signed[:n], user, believe(key)); err == nil {
				t.Errorf("%s opens with %d bytes of %d", name, n, len(signed))
			}
		}
		longer := append(slices.Clone(signed), 0)
		if _, _, err := anchor.Open(longer, user, believe(key)); err == nil {
			t.Errorf("%s opens with a byte more", name)
		}
	}
}

func TestALedgerCountsForItsUserOnly(t *testing.T) {
	key := instanceKey(t)
	all := vectors(t, "ledger")
	for name, v := range all {
		for _, user := range []uuid.UUID{uuid.Nil, uuid.New(), all["ledger-full"].id("user")} {
			_, _, err := anchor.Open(v.bytes("ledger"), user, believe(key))
			if want := user == v.id("user"); (err == nil) != want || !want &&
				!errors.Is(err, anchor.ErrTampered) {
				t.Errorf("%s as that of %s: %v", name, user, err)
			}
		}
	}
}

func TestALedgerNeedsTheKeyThatSignedIt(t *testing.T) {
	key, other := instanceKey(t), newKey(t)
	v := vectors(t, "ledger")["ledger-full"]
	signed, user := v.bytes("ledger"), v.id("user")
	for what, c := range map[string]struct {
		keys anchor.Keys
		want error
	}{
		"it":              {believe(key), nil},
		"it among others": {believe(other, key), nil},
		"none":            {believe(), anchor.ErrUnknownKey},
		"another":         {believe(other), anchor.ErrUnknownKey},
		"another under its name": {
			func(uuid.UUID) (seal.InstanceKey, bool) { return other, true }, anchor.ErrTampered,
		},
	} {
		_, by, err := anchor.Open(signed, user, c.keys)
		if !errors.Is(err, c.want) || err == nil && by.ID() != key.ID() {
			t.Errorf("with %s: got %v, want %v", what, err, c.want)
		}
	}
	code := key.RowMAC(signed[:len(signed)-32])
	if _, _, err := anchor.Open(append(slices.Clone(signed[:len(signed)-32]), code[:]...), user,
		believe(key)); err == nil {
		t.Error("the code of a row counts as that of a ledger")
	}
}

// What no server writes is refused even where the code is right.
func TestALedgerHasOneForm(t *testing.T) {
	key := instanceKey(t)
	v := vectors(t, "ledger")["ledger-full"]
	signed, user := v.bytes("ledger"), v.id("user")
	const first = headerSize + 4 // of the secrets, of which there are five
	for what, change := range map[string]func([]byte) []byte{
		"entries out of order": func(b []byte) []byte {
			return slices.Concat(b[:first], b[first+8:first+16], b[first:first+8], b[first+16:])
		},
		"an entry twice":      func(b []byte) []byte { copy(b[first+8:], b[first:first+8]); return b },
		"one entry too many":  func(b []byte) []byte { b[first-1]++; return b },
		"one entry too few":   func(b []byte) []byte { b[first-1]--; return b },
		"entries without end": func(b []byte) []byte { copy(b[first-4:], "\xff\xff\xff\xff"); return b },
		"no state":            func(b []byte) []byte { b[41] = 0; return b },
		"an unknown state":    func(b []byte) []byte { b[41] = 5; return b },
		"an unknown format":   func(b []byte) []byte { b[0] = 2; return b },
		"another user":        func(b []byte) []byte { b[17]++; return b },
		"a byte more":         func(b []byte) []byte { return append(b, 0) },
		"a byte less":         func(b []byte) []byte { return b[:len(b)-1] },
		"a list less":         func(b []byte) []byte { return b[:len(b)-24-4] },
		"nothing":             func([]byte) []byte { return nil },
	} {
		changed := resigned(key, signed, change)
		if _, _, err := anchor.Open(changed, user, believe(key)); !errors.Is(
			err, anchor.ErrTampered) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	same := resigned(key, signed, func(b []byte) []byte { return b })
	if _, _, err := anchor.Open(same, user, believe(key)); err != nil {
		t.Errorf("what was not changed: %v", err)
	}
}

func TestAChangeOfALedgerLeavesItsBytesAsTheyAre(t *testing.T) {
	key := instanceKey(t)
	v := vectors(t, "ledger")["ledger-full"]
	b := v.bytes("ledger")
	change := func(l anchor.Ledger) {
		for _, s := range []*anchor.Set{&l.Secrets, &l.Versions, &l.APIKeys, &l.Leases} {
			for _, entry := range s.All() {
				s.Remove(entry)
				entry[0]++
				s.Add(entry)
			}
		}
		l.Secrets.Clear()
	}
	opened, _, err := anchor.Open(b, v.id("user"), believe(key))
	if err != nil {
		t.Fatal(err)
	}
	change(opened)
	wantSame(t, opened, v.ledger())
	signed := must(opened.Sign(key))
	change(opened)
	wantSame(t, opened, v.ledger())
	if !bytes.Equal(b, v.bytes("ledger")) || !bytes.Equal(signed, b) {
		t.Error("the bytes were changed")
	}
}

func TestALedgerMayBeOfALengthOnly(t *testing.T) {
	key := newKey(t)
	for _, c := range []struct {
		user uuid.UUID
		most int // entries of 24 bytes
	}{
		{uuid.New(), (anchor.MaxLedger - headerSize - 16 - 32) / 24},
		{uuid.Nil, (512<<10 - headerSize - 16 - 32) / 24},
	} {
		l := anchor.Ledger{User: c.user, State: anchor.Active}
		var entries []byte
		for i := range c.most {
			entries = append(entries, binary.BigEndian.AppendUint64(make([]byte, 16), uint64(i))...)
		}
		signed := must(l.Sign(key))
		full := resigned(key, signed, func(b []byte) []byte {
			b = binary.BigEndian.AppendUint32(b[:len(b)-4], uint32(c.most))
			return append(b, entries...)
		})
		opened, _, err := anchor.Open(full, c.user, believe(key))
		if err != nil || opened.Leases.Len() != c.most {
			t.Fatalf("%d entries: %v", c.most, err)
		}
		if again, err := opened.Sign(key); err != nil || !bytes.Equal(again, full) {
			t.Errorf("%d entries are not signed: %v", c.most, err)
		}
		opened.Leases.Add(bytes.Repeat([]byte{9}, 24))
		if _, err := opened.Sign(key); !errors.Is(err, anchor.ErrTooLong) {
			t.Errorf("one entry more than %d: %v", c.most, err)
		}
		longer := resigned(key, full, func(b []byte) []byte {
			binary.BigEndian.PutUint32(b[len(b)-len(entries)-4:], uint32(c.most)+1)
			return append(b, bytes.Repeat([]byte{9}, 24)...)
		})
		if _, _, err := anchor.Open(longer, c.user, believe(key)); err == nil {
			t.Error("what is too long to be signed opens")
		}
	}
}

func TestTheNumberOfALedgerGrows(t *testing.T) {
	now := time.UnixMicro(1_700_000_000_000_000)
	for _, c := range []struct {
		was  uint64
		now  time.Time
		want uint64
	}{
		{0, now, 1_700_000_000_000_000},
		{1_600_000_000_000_000, now, 1_700_000_000_000_000},
		{1_700_000_000_000_000, now, 1_700_000_000_000_001}, // in one microsecond
		{1_800_000_000_000_000, now, 1_800_000_000_000_001}, // the clock was put back
		{7, time.Time{}, 8},                                 // a clock before 1970
	} {
		l := anchor.Ledger{Number: c.was}
		if l.Next(c.now); l.Number != c.want {
			t.Errorf("after %d at %v: %d, want %d", c.was, c.now, l.Number, c.want)
		}
	}
}

func TestTheUsersWhoWereDeletedLastStayListed(t *testing.T) {
	var l anchor.Ledger
	users := make([]uuid.UUID, 5)
	for i := range users {
		users[i] = uuid.New()
		l.AddDeleted(users[i], time.UnixMicro(int64(i)*300), 3)
	}
	for i, user := range users {
		if got, want := l.Leases.HasPrefix(user[:]), i >= 2; got != want {
			t.Errorf("user %d of %d is listed: %v", i, len(users), got)
		}
	}
	if l.Leases.Len() != 3 {
		t.Errorf("%d are listed", l.Leases.Len())
	}
}

func TestAnyLedgerOpensAsItWasSigned(t *testing.T) {
	key := newKey(t)
	draw := func(t *rapid.T, what string, n int) []byte {
		return rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, what)
	}
	rapid.Check(t, func(t *rapid.T) {
		set := func(width int) (s anchor.Set) {
			for range rapid.IntRange(0, 20).Draw(t, "entries") {
				s.Add(draw(t, "entry", width))
			}
			return s
		}
		head := func() audit.Head {
			return audit.Head{
				Seq: rapid.Uint64().Draw(t, "seq"), Hash: audit.Hash(draw(t, "hash", 32)),
			}
		}
		l := anchor.Ledger{
			User:        uuid.UUID(draw(t, "user", 16)),
			Number:      rapid.Uint64().Draw(t, "number"),
			State:       anchor.State(rapid.ByteRange(1, 4).Draw(t, "state")),
			OwnerKey:    uuid.UUID(draw(t, "owner key", 16)),
			PreviousKey: uuid.UUID(draw(t, "previous key", 16)),
			Seals: rapid.Uint64().
				Draw(t, "seals"),
			Identity: [32]byte(draw(t, "identity", 32)),
			Cut:      head(),
			Head:     head(),
			Secrets:  set(anchor.VersionEntry),
			Versions: set(anchor.VersionEntry),
			APIKeys:  set(anchor.KeyEntry),
			Leases:   set(anchor.LeaseEntry),
		}
		signed, err := l.Sign(key)
		if err != nil {
			t.Fatal(err)
		}
		opened, _, err := anchor.Open(signed, l.User, believe(key))
		if err != nil {
			t.Fatal(err)
		}
		wantSame(t, opened, l)
	})
}

// A model is what a set should be.
type model map[string]bool

func (m model) hasPrefix(prefix []byte) bool {
	for entry := range m {
		if bytes.HasPrefix([]byte(entry), prefix) {
			return true
		}
	}
	return false
}

func TestASetBehavesAsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s anchor.Set
		want := model{}
		entry := func() []byte { // of few different ones, so that some are there
			return []byte(fmt.Sprintf("%08d", rapid.IntRange(0, 30).Draw(t, "entry")))
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				e := entry()
				if added := s.Add(e); added == want[string(e)] {
					t.Fatalf("added: %v", added)
				}
				want[string(e)] = true
				clear(e) // the set keeps a copy
			},
			"remove": func(t *rapid.T) {
				e := entry()
				if removed := s.Remove(e); removed != want[string(e)] {
					t.Fatalf("removed: %v", removed)
				}
				delete(want, string(e))
			},
			"add of another length": func(t *rapid.T) {
				if len(want) > 0 && s.Add([]byte("short")) {
					t.Fatal("an entry of another length was added")
				}
			},
			"clear": func(t *rapid.T) {
				if rapid.IntRange(0, 9).Draw(t, "rarely") == 0 {
					s.Clear()
					clear(want)
				}
			},
			"": func(t *rapid.T) {
				all := s.All()
				if s.Len() != len(want) || len(all) != len(want) ||
					!slices.IsSortedFunc(all, bytes.Compare) {
					t.Fatalf("%d entries, %q; want %d", s.Len(), all, len(want))
				}
				for _, e := range all {
					if !want[string(e)] {
						t.Fatalf("%q is in the set", e)
					}
					clear(e) // it is a copy
				}
				for n := range 31 {
					e := []byte(fmt.Sprintf("%08d", n))
					if s.Has(e) != want[string(e)] || s.HasPrefix(e[:7]) != want.hasPrefix(e[:7]) {
						t.Fatalf("has %q: %v", e, s.Has(e))
					}
				}
			},
		})
	})
}

func TestACopyOfASetStaysAsItIs(t *testing.T) {
	var s anchor.Set
	for n := range byte(9) {
		s.Add([]byte{n, 1})
	}
	before := s
	want := before.All()
	s.Remove([]byte{4, 1})
	s.Add([]byte{4, 0})
	if diff := cmp.Diff(want, before.All()); diff != "" {
		t.Error(diff)
	}
}

// Rows that differ in a field, or in where one field ends and the next begins, have other bytes.
func TestNoTwoRowsAreAlike(t *testing.T) {
	id := uuid.New()
	rows := map[string]anchor.Row{
		"none":             anchor.NewRow("a"),
		"another kind":     anchor.NewRow("b"),
		"kind of two":      anchor.NewRow("ab"),
		"text":             anchor.NewRow("a").Text("b"),
		"two texts":        anchor.NewRow("a").Text("bc").Text("d"),
		"two other texts":  anchor.NewRow("a").Text("b").Text("cd"),
		"one text of both": anchor.NewRow("a").Text("bcd"),
		"an empty text":    anchor.NewRow("a").Text("").Text("bcd"),
		"no time":          anchor.NewRow("a").Time(time.Time{}),
		"a time":           anchor.NewRow("a").Time(time.UnixMicro(0)),
		"another time":     anchor.NewRow("a").Time(time.UnixMicro(math.MinInt64 / 2)),
		"a number":         anchor.NewRow("a").Number(1),
		"a flag":           anchor.NewRow("a").Flag(true),
		"an id":            anchor.NewRow("a").ID(id),
		"no id":            anchor.NewRow("a").ID(uuid.Nil),
		"an id as bytes":   anchor.NewRow("a").Bytes(id[:]),
	}
	seen := map[[32]byte]string{}
	key := newKey(t)
	for what, row := range rows {
		if other, found := seen[row.Digest()]; found {
			t.Errorf("%s is as %s", what, other)
		}
		seen[row.Digest()] = what
		if bytes.Equal(row.Entry(key, 8), row.Entry(newKey(t), 8)) {
			t.Errorf("%s has the same entry with another key", what)
		}
	}
}

package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/keysake/keysake/internal/audit"
)

// verify verifies an export, and wants no error.
func verify(t *testing.T, h *house, export []byte, earlier *audit.Kept) audit.Report {
	t.Helper()
	trust := audit.Trust{Keys: []string{h.verifier(t)}, Earlier: earlier}
	report, err := trust.Verify(bytes.NewReader(export))
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// assertFault wants a fault of one chain that says so, among others.
func assertFault(t *testing.T, report audit.Report, chain *chain, seq uint64, reason string) {
	t.Helper()
	for _, err := range report.Faults {
		broken, ok := errors.AsType[*audit.BreakError](err)
		if ok && broken.Owner == chain.owner && broken.Seq == seq &&
			strings.Contains(broken.Reason, reason) {
			return
		}
	}
	t.Errorf("nothing says %q of entry %d of %s: %v", reason, seq, chain.owner, report.Faults)
}

func assertNamed(t *testing.T, report audit.Report, want error) {
	t.Helper()
	if !errors.Is(errors.Join(report.Faults...), want) {
		t.Errorf("nothing says %q: %v", want, report.Faults)
	}
}

func TestALaterExportExtendsEarlierCheckpoints(t *testing.T) {
	h := newHouse()
	first := h.checkpoint(t)
	for _, c := range h.chains[2:] {
		c.use()
	}
	second := h.checkpoint(t)
	h.chains = append(h.chains, &chain{owner: fakeID(0x70)})
	h.chains[len(h.chains)-1].use()
	third := h.checkpoint(t)
	export := h.export(t, third)
	for i, k := range []kept{first, second, third} {
		report := verify(t, h, export, k.earlier())
		if len(report.Faults) > 0 || !report.Whole || report.Chains != houseChains+1 ||
			report.Earlier.Number != uint64(i+1) || report.Checkpoint.Number != 3 {
			t.Errorf("checkpoint %d: %+v", i+1, report)
		}
		for n := range k.leaves {
			report := verify(t, h, h.exportOne(t, third, n), k.earlier())
			if len(report.Faults) > 0 || report.Whole || report.Chains != 1 {
				t.Errorf("chain %d from checkpoint %d: %+v", n, i+1, report)
			}
		}
	}
}

func TestWhatAKeyHolderDoesToTheLogBetweenTwoCheckpointsIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		attack func(*house)
		chain  int
		seq    uint64
		reason string
	}{
		"a user is dropped": {
			attack: func(h *house) { h.chains = append(h.chains[:3:3], h.chains[4:]...) },
			chain:  3, seq: 1, reason: "the chain is missing: it had 3 entries at checkpoint 1",
		},
		"the end of a chain is cut": {
			attack: func(h *house) { h.chains[5].truncate(4) },
			chain:  5, seq: 5, reason: "it had 5 entries at checkpoint 1",
		},
		"a chain is emptied": {
			attack: func(h *house) { h.chains[5].truncate(0) },
			chain:  5, seq: 1, reason: "it had 5 entries at checkpoint 1",
		},
		"an entry is changed and the chain recomputed": {
			attack: func(h *house) {
				h.chains[4].recompute(1, func(e *audit.Entry) { e.Target.Name = "OTHER" })
			},
			chain: 4, seq: 4, reason: "recomputed",
		},
		"a chain is recomputed and goes on": {
			attack: func(h *house) {
				h.chains[4].recompute(3, func(e *audit.Entry) { e.Run = "x" })
				h.chains[4].use()
			},
			chain: 4, seq: 4, reason: "recomputed",
		},
		"the beginning is cut before it was exported": {
			attack: func(h *house) {
				h.chains[6].use()
				h.cuts[h.chains[6].owner] = h.chains[6].head
			},
			chain: 6, seq: 7, reason: "the entries up to 8 were cut off",
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse()
			h.chains[6].use()
			first := h.checkpoint(t)
			chain := *h.chains[c.chain]
			c.attack(h)
			second := h.checkpoint(t)
			report := verify(t, h, h.export(t, second), first.earlier())
			assertFault(t, report, &chain, c.seq, c.reason)
		})
	}
}

func TestAChainOfWhichACheckpointSaysNothingIsNamedAndNoOther(t *testing.T) {
	h := newHouse()
	first := h.checkpoint(t)
	broken := h.chains[4].owner
	second := h.checkpointWithout(t, 4)
	report := verify(t, h, h.export(t, second), first.earlier())
	named, ok := errors.AsType[*audit.UnprovedError](errors.Join(report.Faults...))
	if len(report.Faults) != 1 || !ok || named.Owner != broken || report.Chains != houseChains-1 {
		t.Errorf("%d chains, and the faults %v", report.Chains, report.Faults)
	}
	if report = verify(t, h, h.exportOne(t, second, 5), first.earlier()); len(report.Faults) > 0 {
		t.Errorf("another chain: %v", report.Faults)
	}
	if report = verify(t, h, h.exportOne(t, second, 4), nil); len(report.Faults) != 1 {
		t.Errorf("the chain alone: %v", report.Faults)
	}
	third := h.checkpoint(t) // the user was brought back
	if report = verify(t, h, h.export(t, third), second.earlier()); len(report.Faults) > 0 {
		t.Errorf("afterwards: %v", report.Faults)
	}
	h.checkpoints[1].Root[0] ^= 1 // and a fork is still one
	h.chains[0].recompute(1, func(e *audit.Entry) {
		e.Target.Name = h.checkpoints[1].Hash().String()
	})
	report = verify(t, h, h.export(t, h.checkpointWithout(t, 4)), second.earlier())
	if len(report.Faults) < 2 {
		t.Errorf("a fork beside it: %v", report.Faults)
	}
}

func TestACheckpointThatIsRolledBackIsNamed(t *testing.T) {
	h := newHouse()
	h.checkpoint(t)
	gone := h.checkpoint(t) // of a state that was put back afterwards, and went on otherwise
	h.chains[0].truncate(1)
	h.checkpoints = h.checkpoints[:1]
	h.chains[1].use()
	h.checkpoint(t)
	report := verify(t, h, h.export(t, h.checkpoint(t)), gone.earlier())
	assertNamed(t, report, audit.ErrFork)
}

func TestTheSameCheckpointOfTwoStatesIsNamed(t *testing.T) {
	a, b := newHouse(), newHouse()
	b.chains[2].use()
	of := a.checkpoint(t)
	export := b.export(t, b.checkpoint(t))
	assertNamed(t, verify(t, b, export, of.earlier()), audit.ErrOrder)
	trust := audit.Trust{Keys: []string{b.verifier(t)}, Note: of.note}
	report, err := trust.Verify(bytes.NewReader(export))
	if err != nil {
		t.Fatal(err)
	}
	assertNamed(t, report, audit.ErrOtherNote)
	later := b.checkpoint(t)
	assertNamed(t, verify(t, b, export, later.earlier()), audit.ErrOrder)
}

func TestACutThatWasExportedBeforeLeavesTheRestProvable(t *testing.T) {
	h := newHouse()
	first := h.checkpoint(t)
	h.chains[0].use()
	for _, l := range first.leaves {
		h.cuts[l.Owner] = l.Head
	}
	second := h.checkpoint(t)
	export := h.export(t, second)
	report := verify(t, h, export, first.earlier())
	if len(report.Faults) > 0 || report.Entries != 2 {
		t.Errorf("%+v", report)
	}
}

// TestAnExportThatSomebodyChangedIsNamed changes what is exported and keeps the note.
func TestAnExportThatSomebodyChangedIsNamed(t *testing.T) {
	h := newHouse()
	k := h.checkpoint(t)
	whole := k.leaves
	write := func(leaves []audit.Leaf) []byte {
		return h.write(t, audit.Export{Note: k.note, Leaves: leaves})
	}
	assertNamed(t, verify(t, h, write(append(whole[:3:3], whole[4:]...)), nil), audit.ErrRoot)
	assertNamed(t, verify(t, h, write(whole[:1]), nil), audit.ErrRoot)
	assertNamed(t, verify(t, h, write(nil), nil), audit.ErrRoot)
	moved := audit.Export{
		Note: k.note, Leaves: whole[2:3], Index: 3, Proof: audit.Prove(whole, 3),
	}
	assertNamed(t, verify(t, h, h.write(t, moved), nil), audit.ErrRoot)

	h.chains[5].recompute(2, func(e *audit.Entry) { e.Action = "secret.delete" })
	changed := append([]audit.Leaf(nil), whole...)
	changed[5].Head = h.chains[5].head
	report := verify(t, h, write(changed), k.earlier())
	assertNamed(t, report, audit.ErrRoot)
	assertFault(t, report, h.chains[5], 5, "recomputed")
}

func TestAFlippedBitAnywhereInAnExportIsNoticed(t *testing.T) {
	h := newHouse()
	h.chains = h.chains[:4]
	export := h.export(t, h.checkpoint(t))
	trust := audit.Trust{Keys: []string{h.verifier(t)}}
	names := map[string]bool{}
	for i := range export {
		export[i] ^= 1 << (i % 8)
		report, err := trust.Verify(bytes.NewReader(export))
		if err == nil && len(report.Faults) == 0 {
			t.Errorf("in byte %d it is not", i)
		}
		for _, fault := range report.Faults {
			if broken, ok := errors.AsType[*audit.BreakError](fault); ok {
				names[fmt.Sprint(broken.Owner, broken.Seq)] = true
			}
		}
		export[i] ^= 1 << (i % 8)
	}
	if len(names) < 6 { // 3, 2 and 1 entries
		t.Errorf("the breaks are named at %d entries only", len(names))
	}
	for n := range export {
		if _, err := trust.Verify(bytes.NewReader(export[:n])); err == nil {
			t.Errorf("cut at %d it is accepted", n)
		}
	}
	_, err := trust.Verify(bytes.NewReader(append(export, 0)))
	if !errors.Is(err, audit.ErrExport) {
		t.Errorf("longer: %v", err)
	}
}

func TestOnlyAKeyThatIsBelievedSigns(t *testing.T) {
	h := newHouse()
	k := h.checkpoint(t)
	key := h.verifier(t)
	name, rest, _ := strings.Cut(key, "+")
	hash, _, _ := strings.Cut(rest, "+")
	for what, keys := range map[string][]string{
		"no key":      nil,
		"another key": {string(vectors(t)["key"])},
	} {
		if _, err := audit.OpenCheckpoint(k.note, keys...); !errors.Is(err, audit.ErrSignature) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, bad := range []string{"", name, name + "+" + hash, strings.ToUpper(key), key + "A"} {
		if _, err := audit.OpenCheckpoint(k.note, bad); !errors.Is(err, audit.ErrKey) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if c, err := audit.OpenCheckpoint(k.note, string(vectors(t)["key"]), key); err != nil ||
		c.Number != 1 {
		t.Errorf("one of two: %+v %v", c, err)
	}
}

func TestAChangedNoteIsRefused(t *testing.T) {
	h := newHouse()
	k := h.checkpoint(t)
	for i := range k.note {
		for bit := range 8 {
			changed := bytes.Clone(k.note)
			changed[i] ^= 1 << bit
			if c, err := audit.OpenCheckpoint(changed, h.verifier(t)); err == nil {
				t.Errorf("bit %d of byte %d: %+v", bit, i, c)
			}
		}
	}
}

func TestOneKeysNoteDoesNotCountForAnotherInstance(t *testing.T) {
	h := newHouse()
	k := h.checkpoint(t)
	c, err := audit.OpenCheckpoint(k.note, h.verifier(t))
	if err != nil {
		t.Fatal(err)
	}
	text, signature, _ := strings.Cut(string(k.note), "\n\n")
	forged := strings.Replace(text, c.InstanceKey.String(), fakeID(0xef).String(), 1)
	if forged == text {
		t.Fatal("nothing was changed")
	}
	_, err = audit.OpenCheckpoint([]byte(forged+"\n\n"+signature), h.verifier(t))
	if !errors.Is(err, audit.ErrSignature) {
		t.Errorf("got %v", err)
	}
	c.InstanceKey = fakeID(0xef) // signed by the right bits under the wrong name
	other, err := c.Sign(h.key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = audit.OpenCheckpoint(other, h.verifier(t)); !errors.Is(err, audit.ErrSignature) {
		t.Errorf("got %v", err)
	}
}

func TestLeavesThatAreNotTheCheckpointsAreRefused(t *testing.T) {
	h := newHouse()
	k := h.checkpoint(t)
	export := h.export(t, k)
	whole := audit.AppendLeaves(nil, k.leaves)
	swapped := slices.Concat(whole[56:112], whole[:56], whole[112:])
	flipped := bytes.Clone(whole)
	flipped[20] ^= 1
	for what, leaves := range map[string][]byte{
		"none": nil, "one less": whole[56:], "a part of one": whole[:100], "swapped": swapped,
		"twice": append(bytes.Clone(whole), whole...), "another count": flipped,
	} {
		trust := audit.Trust{Keys: []string{h.verifier(t)}, Earlier: &audit.Kept{k.note, leaves}}
		if _, err := trust.Verify(bytes.NewReader(export)); !errors.Is(err, audit.ErrLeaves) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestABrokenChainIsNotExported(t *testing.T) {
	h := newHouse()
	k := h.checkpoint(t)
	h.chains[3].entries[1].Target.Name = "OTHER"
	err := audit.Export{Note: k.note, Leaves: k.leaves}.Write(&bytes.Buffer{}, h.entries)
	assertBreak(t, err, h.chains[3].owner, 2)
}

func TestEveryLeafOfATreeIsProvedAndNoOther(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 7, 8, 13, 17} {
		h := newHouse()
		h.chains = nil
		for i := range n {
			h.chains = append(h.chains, &chain{owner: fakeID(byte(i + 1))})
		}
		h.chains[0].use()
		k := h.checkpoint(t)
		for i := range n {
			if r := verify(t, h, h.exportOne(t, k, i), nil); len(r.Faults) > 0 {
				t.Errorf("%d of %d: %v", i, n, r.Faults)
			}
			for j := range n {
				if i == j {
					continue
				}
				other := audit.Export{
					Note: k.note, Leaves: k.leaves[i : i+1], Index: uint64(j),
					Proof: audit.Prove(k.leaves, j),
				}
				assertNamed(t, verify(t, h, h.write(t, other), nil), audit.ErrRoot)
			}
		}
	}
}

func BenchmarkRootOfAMillion(b *testing.B) {
	leaves := manyLeaves(1 << 20)
	for b.Loop() {
		audit.Root(leaves)
	}
}

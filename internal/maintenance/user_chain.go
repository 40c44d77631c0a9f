package maintenance

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/seal"
)

// missingIn returns the versions of b that a does not have, by their stamps.
func missingIn(a, b userRows) []NamedVersion {
	known := map[seal.Stamp]bool{}
	for _, s := range a.secrets {
		known[s.Stamp] = true
	}
	for _, v := range a.versions {
		known[v.Stamp] = true
	}
	missing, names := []NamedVersion{}, map[uuid.UUID]string{}
	for _, s := range b.secrets {
		names[s.ID] = s.Name
		if !known[s.Stamp] {
			missing = append(missing, NamedVersion{s.Name, s.Version})
		}
	}
	for _, v := range b.versions {
		if !known[v.Stamp] {
			missing = append(missing, NamedVersion{names[v.Secret], v.Number})
		}
	}
	slices.SortFunc(missing, func(x, y NamedVersion) int {
		return strings.Compare(fmt.Sprintf("%s %20d", x.Name, x.Version),
			fmt.Sprintf("%s %20d", y.Name, y.Version))
	})
	return missing
}

// A keptChain is the audit chain that a user has after a restore or a repair.
type keptChain struct {
	cut      audit.Head
	entries  []audit.Linked
	unproved int // of the last entries no ledger vouches for
	lost     int // entries of the database that it does not have
}

// keepChain returns the longer of the two chains that ledgers vouch for. To the backup's it adds
// what follows its end in the database: entries that link to it, though no ledger vouches for them.
func keepChain(
	rows userRows, ledger anchor.Ledger, there userRows, own *ownLedger,
) keptChain {
	if own != nil && own.Head.Seq >= ledger.Head.Seq {
		entries := follow(own.Cut, there.chain)
		if endOf(own.Cut, entries) == own.Head {
			lost := len(there.chain) - len(entries)
			return keptChain{cut: own.Cut, entries: entries, lost: lost}
		}
	}
	c := keptChain{cut: ledger.Cut, entries: rows.chain}
	more := follow(ledger.Head, there.chain)
	c.entries = append(slices.Clone(c.entries), more...)
	c.unproved = len(more)
	kept := map[audit.Head]bool{}
	for _, e := range c.entries {
		kept[audit.Head{Seq: e.Seq, Hash: e.Hash}] = true
	}
	for _, e := range there.chain {
		if !kept[audit.Head{Seq: e.Seq, Hash: e.Hash}] {
			c.lost++
		}
	}
	return c
}

// follow returns the entries that link to a head, one after the other.
func follow(from audit.Head, entries []audit.Linked) (linked []audit.Linked) {
	for _, e := range entries {
		if e.Seq != from.Seq+1 {
			continue
		}
		next := from.Append(&e.Entry)
		if next.Hash != e.Hash {
			return linked
		}
		linked, from = append(linked, e), next
	}
	return linked
}

func endOf(cut audit.Head, entries []audit.Linked) audit.Head {
	if len(entries) == 0 {
		return cut
	}
	last := entries[len(entries)-1]
	return audit.Head{Seq: last.Seq, Hash: last.Hash}
}

// notes are what the audit log says of itself.
func (c keptChain) notes() (notes []string) {
	if c.unproved > 0 {
		notes = append(notes, fmt.Sprintf("no ledger vouched for the %d entries before this change",
			c.unproved))
	}
	if c.lost > 0 {
		notes = append(notes, fmt.Sprintf("%d entries of the audit log were lost", c.lost))
	}
	return notes
}

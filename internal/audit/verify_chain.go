package audit

import (
	"errors"
	"fmt"
)

// checkChain checks the entries of the chain that comes next. Its error is one of reading.
func (v *verification) checkChain(leaf Leaf) error {
	cut := Head{Seq: v.in.number(), Hash: v.in.hash()}
	if v.in.err == nil && (cut.Seq > leaf.Seq || cut.Seq == 0 && cut.Hash != Hash{}) {
		v.in.err = ErrExport
	}
	if v.in.err != nil {
		return v.in.err
	}
	if !leaf.Proved() {
		if cut != (Head{}) {
			return ErrExport
		}
		v.unproved++
		v.fault(&UnprovedError{leaf.Owner, v.Checkpoint.Number})
		return nil
	}
	v.Chains++
	kept, isKept := v.kept[leaf.Owner]
	at, then := cut, Head{} // the entry that was read last, and the chain's head at kept.Seq
	if cut.Seq == kept.Seq {
		then = cut
	}
	err := VerifyChainFrom(cut, leaf.Owner, func(yield func(Linked, error) bool) {
		for e, err := range v.in.entries(leaf.Seq - cut.Seq) {
			at = Head{at.Seq + 1, e.Hash}
			if errors.Is(err, ErrEntry) {
				err = &BreakError{leaf.Owner, at.Seq, err.Error()}
			}
			if at.Seq == kept.Seq {
				then = at
			}
			v.record(e.Entry)
			if err == nil && v.each != nil {
				err = v.each(e)
			}
			if !yield(e, err) {
				return
			}
		}
	}, leaf.Head)
	if broken, ok := errors.AsType[*BreakError](err); ok {
		v.fault(broken)
		return v.skip(leaf.Seq - at.Seq)
	}
	if err != nil {
		return fmt.Errorf("the chain of %s after entry %d: %w", leaf.Owner, at.Seq-1, err)
	}
	v.Entries += leaf.Seq - cut.Seq
	if isKept {
		v.checkKept(leaf, cut, kept, then)
	}
	return nil
}

// skip reads past n entries, which follow a break.
func (v *verification) skip(n uint64) error {
	for ; n > 0 && v.in.err == nil; n-- {
		v.in.bytes(v.in.length() + len(Hash{}))
	}
	return v.in.err
}

// checkKept checks that a chain extends what it was at the earlier checkpoint.
func (v *verification) checkKept(leaf Leaf, cut, kept, then Head) {
	broken := func(seq uint64, format string, args ...any) {
		v.fault(&BreakError{leaf.Owner, seq, fmt.Sprintf(format, args...)})
	}
	switch {
	case kept.Seq > leaf.Seq:
		broken(leaf.Seq+1, "the end of the chain is missing: it had %d entries at checkpoint %d",
			kept.Seq, v.Earlier.Number)
	case kept.Seq < cut.Seq:
		broken(kept.Seq, "the entries up to %d were cut off: verify the export from before the cut",
			cut.Seq)
	case kept != then:
		broken(kept.Seq, "the chain was recomputed: at checkpoint %d this entry had another hash",
			v.Earlier.Number)
	}
}

// record keeps what an entry says of a checkpoint.
func (v *verification) record(e Entry) {
	if e.Target.Kind != TargetCheckpoint {
		return
	}
	n := e.Target.Version
	if n == v.Checkpoint.Number-1 || v.Earlier != nil && n == v.Earlier.Number {
		v.recorded[n] = e.Target.Name
	}
}

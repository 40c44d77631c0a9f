package audit

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"
)

// A Trust is what an export is verified against. Nothing in it needs a database or a secret.
type Trust struct {
	Keys []string // public keys, in the form of [VerifierKey]
	Note []byte   // the export's checkpoint as it was kept elsewhere; nil without
	// Earlier has a checkpoint that was kept from before, and the leaves that belong to it. They
	// need no trust: the checkpoint has their root. Nil without.
	Earlier *Kept
	// Each gets every entry as it is read, before all is verified. Nil for none.
	Each func(Linked) error
}

// A Kept is a checkpoint as it was kept: its signed note and its leaves file.
type Kept struct{ Note, Leaves []byte }

// A Report says what an export proves.
type Report struct {
	Checkpoint Checkpoint  // the state in which the chains are
	Earlier    *Checkpoint // the one that they were found to extend; nil without
	// Successions lead from the keys that are believed to those of the checkpoints, in order.
	Successions []Succession
	Whole       bool   // the export has every chain of its checkpoint
	Chains      uint64 // how many the export has
	Entries     uint64
	// Faults are what is wrong: a [*BreakError] or an [*UnprovedError] where it is wrong with one
	// chain. At most 1000 are kept.
	Faults []error
}

const maxFaults = 1000

// What can be wrong with a whole export, as a fault. Match with errors.Is.
var (
	ErrOtherNote = errors.New("the export is of another checkpoint than the note")
	ErrRoot      = errors.New("the chains of the export are not those of its checkpoint: " +
		"one was dropped, cut or recomputed")
	ErrOrder = errors.New("the earlier checkpoint is not earlier")
	ErrFork  = errors.New("the checkpoints do not follow each other: the log went back")
)

// An UnprovedError names a chain of which a checkpoint says nothing.
type UnprovedError struct {
	Owner      uuid.UUID
	Checkpoint uint64
}

func (e *UnprovedError) Error() string {
	return fmt.Sprintf("nothing is proved of the chain of %s: the ledger of its user did not "+
		"verify when checkpoint %d was made", e.Owner, e.Checkpoint)
}

// Verify reads an export and says what is wrong with it. An error means that there is nothing to
// judge: the file is no export, the checkpoint is not signed by one of the keys ([ErrSignature]),
// or the earlier leaves are not those of the earlier checkpoint ([ErrLeaves]).
func (t Trust) Verify(export io.Reader) (Report, error) {
	v := verification{in: &reader{in: bufio.NewReaderSize(export, 256<<10)}, each: t.Each}
	if err := v.open(t); err != nil {
		return v.Report, err
	}
	v.checkLeaves()
	for _, leaf := range v.export.Leaves {
		if err := v.checkChain(leaf); err != nil {
			return v.Report, err
		}
	}
	if _, err := v.in.in.ReadByte(); !errors.Is(err, io.EOF) {
		return v.Report, fmt.Errorf("%w: it goes on after its last chain", ErrExport)
	}
	v.checkOrder()
	v.checkSuccessions()
	return v.Report, nil
}

// A verification is one pass over an export.
type verification struct {
	Report

	in       *reader
	each     func(Linked) error // nil for none
	export   Export
	unproved int                // how many of the faults are chains of which nothing is said
	earlier  []Leaf             // of the earlier checkpoint
	kept     map[uuid.UUID]Head // the same by their chains
	recorded map[uint64]string  // the hashes of checkpoints that the log itself has, by number
}

func (v *verification) fault(err error) {
	if len(v.Faults) < maxFaults {
		v.Faults = append(v.Faults, err)
	}
}

// open reads what stands before the chains, and the earlier checkpoint.
func (v *verification) open(t Trust) (err error) {
	signed, successions := v.in.note(), v.in.successions()
	if v.in.err != nil {
		return v.in.err
	}
	if t.Keys, v.Successions, err = succeeded(t.Keys, successions); err != nil {
		return err
	}
	if v.Checkpoint, err = OpenCheckpoint(signed, t.Keys...); err != nil {
		return err
	}
	if t.Note != nil {
		note, err := OpenCheckpoint(t.Note, t.Keys...)
		if err != nil {
			return fmt.Errorf("the note: %w", err)
		}
		if note != v.Checkpoint {
			v.fault(fmt.Errorf("%w: %d, not %d", ErrOtherNote, v.Checkpoint.Number, note.Number))
		}
	}
	v.export = v.in.leaves(v.Checkpoint.Chains)
	v.Whole = uint64(len(v.export.Leaves)) == v.Checkpoint.Chains
	v.recorded = map[uint64]string{}
	if v.in.err != nil || t.Earlier == nil {
		return v.in.err
	}
	return v.openEarlier(t)
}

func (v *verification) openEarlier(t Trust) error {
	earlier, err := OpenCheckpoint(t.Earlier.Note, t.Keys...)
	if err != nil {
		return fmt.Errorf("the earlier note: %w", err)
	}
	leaves, err := ParseLeaves(t.Earlier.Leaves)
	if err != nil {
		return err
	}
	if uint64(len(leaves)) != earlier.Chains || Root(leaves) != earlier.Root {
		return fmt.Errorf("%w %d", ErrLeaves, earlier.Number)
	}
	v.Earlier, v.earlier, v.kept = &earlier, leaves, make(map[uuid.UUID]Head, len(leaves))
	for _, l := range leaves {
		if l.Proved() {
			v.kept[l.Owner] = l.Head
		}
	}
	return nil
}

// checkLeaves checks that the chains are those of the checkpoint, and that no chain of the earlier
// one is missing.
func (v *verification) checkLeaves() {
	x := v.export
	switch {
	case v.Whole && Root(x.Leaves) == v.Checkpoint.Root && x.Index == 0 && len(x.Proof) == 0:
	case len(x.Leaves) == 1 && v.Checkpoint.proves(x.Leaves[0], x.Index, x.Proof):
	default:
		v.fault(fmt.Errorf("%w (it has %d of %d)", ErrRoot, len(x.Leaves), v.Checkpoint.Chains))
	}
	if len(x.Leaves) == 1 && !v.Whole {
		return
	}
	exported := make(map[uuid.UUID]bool, len(x.Leaves))
	for _, l := range x.Leaves {
		exported[l.Owner] = true
	}
	for _, l := range v.earlier {
		if !exported[l.Owner] {
			v.fault(&BreakError{l.Owner, 1, fmt.Sprintf("the chain is missing: it had %d entries "+
				"at checkpoint %d", l.Seq, v.Earlier.Number)})
		}
	}
}

// checkOrder checks that the checkpoints follow each other, by what each and the log say of those
// before.
func (v *verification) checkOrder() {
	e, c := v.Earlier, v.Checkpoint
	if before, found := v.recorded[c.Number-1]; found && before != c.Before.String() {
		v.fault(ErrFork)
		return
	}
	switch {
	case e == nil || *e == c:
	case e.Number >= c.Number:
		v.fault(fmt.Errorf("%w: it is %d, and the export's %d", ErrOrder, e.Number, c.Number))
	case e.Number+1 == c.Number && e.Hash() != c.Before:
		v.fault(ErrFork)
	case v.Whole && len(v.Faults) == v.unproved && v.recorded[e.Number] != e.Hash().String():
		v.fault(ErrFork) // with other faults, the entry may be where they are
	}
}

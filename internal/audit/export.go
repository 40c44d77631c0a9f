package audit

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
)

// exportTag begins an export. format.md, next to this file, specifies every byte.
const exportTag = "keysake audit export v1\n"

// An Export is the head of a file that proves what is in the audit log: a checkpoint, and which of
// its chains follow. The entries of a chain come after it, from where the chain was cut.
type Export struct {
	Note []byte // the signed checkpoint
	// Successions lead to the key that signed it, as [AppendSuccession] makes them.
	Successions []byte
	Leaves      []Leaf // all of its chains, or one
	Index       uint64 // of the one among all
	Proof       []Hash // that the one is among them
}

// Entries returns where a chain was cut, and its entries from there to a number, in order.
type Entries func(of Leaf) (cut Head, entries iter.Seq2[Linked, error])

// Write writes an export. Every chain is verified as it is written. The error is a [*BreakError],
// the first of w or the first of the entries: what was written is no export.
func (x Export) Write(w io.Writer, entries Entries) error {
	if len(x.Note) > maxPart || len(x.Successions) > maxPart || len(x.Proof) > maxProof {
		return errors.New("audit: the checkpoint is too long for an export")
	}
	out := bufio.NewWriterSize(w, 256<<10)
	b := appendText([]byte(exportTag), string(x.Note))
	b = appendText(b, string(x.Successions))
	b = binary.BigEndian.AppendUint64(b, uint64(len(x.Leaves)))
	b = AppendLeaves(b, x.Leaves)
	b = binary.BigEndian.AppendUint64(b, x.Index)
	b = append(b, byte(len(x.Proof))) //nolint:gosec // at most maxProof
	for _, h := range x.Proof {
		b = append(b, h[:]...)
	}
	if _, err := out.Write(b); err != nil {
		return err
	}
	for _, leaf := range x.Leaves {
		if err := writeChain(out, leaf, entries); err != nil {
			return err
		}
	}
	return out.Flush()
}

func writeChain(out *bufio.Writer, leaf Leaf, entries Entries) error {
	if !leaf.Proved() {
		_, err := out.Write(make([]byte, 8+len(Hash{}))) // no cut, and no entry
		return err
	}
	cut, all := entries(leaf)
	b := binary.BigEndian.AppendUint64(nil, cut.Seq)
	if _, err := out.Write(append(b, cut.Hash[:]...)); err != nil {
		return err
	}
	written := func(yield func(Linked, error) bool) {
		for e, err := range all {
			if err == nil {
				canonical := e.Canonical()
				b = appendText(b[:0], string(canonical))
				b = append(b, e.Hash[:]...)
				_, err = out.Write(b)
			}
			if !yield(e, err) {
				return
			}
		}
	}
	return VerifyChainFrom(cut, leaf.Owner, written, leaf.Head)
}

// Limits on what is read.
const (
	maxPart  = 64 << 10 // of a note, the successions or an entry
	maxProof = 62
)

// ErrExport is the error of a file that is no export, or that is cut short.
var ErrExport = errors.New("this is not an audit export, or it is cut short")

// A reader reads an export. It keeps the first error, after which it returns zeros.
type reader struct {
	in  *bufio.Reader
	err error
}

func (r *reader) bytes(n int) []byte {
	b := make([]byte, n)
	if r.err == nil {
		_, r.err = io.ReadFull(r.in, b)
	}
	if errors.Is(r.err, io.EOF) || errors.Is(r.err, io.ErrUnexpectedEOF) {
		r.err = ErrExport
	}
	if r.err != nil {
		clear(b)
	}
	return b
}

func (r *reader) number() uint64 { return binary.BigEndian.Uint64(r.bytes(8)) }

// length returns a length that comes next; ErrExport if it is above maxPart.
func (r *reader) length() int {
	n := binary.BigEndian.Uint32(r.bytes(4))
	if n > maxPart && r.err == nil {
		r.err = ErrExport
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

func (r *reader) hash() Hash { return Hash(r.bytes(len(Hash{}))) }

// note reads the beginning, up to the signed note.
func (r *reader) note() []byte {
	if string(r.bytes(len(exportTag))) != exportTag && r.err == nil {
		r.err = ErrExport
	}
	return r.bytes(r.length())
}

// successions reads what leads to the key of the note.
func (r *reader) successions() []byte { return r.bytes(r.length()) }

// leaves reads the leaves and the proof of one. Memory grows only as they are read.
func (r *reader) leaves(most uint64) (x Export) {
	n := r.number()
	if n > most {
		r.err = errors.Join(r.err, ErrExport)
	}
	for ; n > 0 && r.err == nil; n-- {
		leaf := parseLeaf([leafSize]byte(r.bytes(leafSize)))
		if len(x.Leaves) > 0 && !x.Leaves[len(x.Leaves)-1].before(leaf) && r.err == nil {
			r.err = fmt.Errorf("%w: %w", ErrExport, ErrLeaves)
		}
		x.Leaves = append(x.Leaves, leaf)
	}
	x.Index = r.number()
	for range r.bytes(1)[0] {
		x.Proof = append(x.Proof, r.hash())
	}
	return x
}

// entries reads n entries. An entry that cannot be read ends them with an error.
func (r *reader) entries(n uint64) iter.Seq2[Linked, error] {
	return func(yield func(Linked, error) bool) {
		for ; n > 0; n-- {
			b := r.bytes(r.length())
			hash := r.hash()
			if r.err != nil {
				yield(Linked{}, r.err)
				return
			}
			e, err := ParseEntry(b)
			if !yield(Linked{e, hash}, err) || err != nil {
				return
			}
		}
	}
}

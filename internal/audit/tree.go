package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/bits"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"
)

// leafSize is the size of a leaf's bytes: the id of whose chain it is, its count and its head.
const leafSize = 16 + 8 + sha256.Size

// A Leaf is the state of one chain in a checkpoint.
type Leaf struct {
	Owner uuid.UUID
	Head
}

// Unproved is the head in the leaf of a chain of which nothing can be said: the ledger of its user
// did not verify. No chain has it.
func Unproved() Head {
	var h Head
	for i := range h.Hash {
		h.Hash[i] = 0xff
	}
	return h
}

// Proved reports whether the leaf says where its chain ended.
func (l Leaf) Proved() bool { return l.Head != Unproved() }

// Append appends the bytes of the leaf, which are hashed into the tree.
func (l Leaf) Append(b []byte) []byte {
	b = append(b, l.Owner[:]...)
	b = binary.BigEndian.AppendUint64(b, l.Seq)
	return append(b, l.Hash[:]...)
}

// ErrLeaves is the error of bytes that are not leaves in the order of their ids.
var ErrLeaves = errors.New("these are not the leaves of a checkpoint")

// AppendLeaves appends the bytes of all leaves: the content of a leaves file.
func AppendLeaves(b []byte, leaves []Leaf) []byte {
	for _, l := range leaves {
		b = l.Append(b)
	}
	return b
}

// ParseLeaves reads what [AppendLeaves] wrote. ErrLeaves: it is something else.
func ParseLeaves(b []byte) ([]Leaf, error) {
	if len(b)%leafSize != 0 {
		return nil, ErrLeaves
	}
	leaves := make([]Leaf, 0, len(b)/leafSize)
	for ; len(b) > 0; b = b[leafSize:] {
		l := parseLeaf([leafSize]byte(b))
		if n := len(leaves); n > 0 && !leaves[n-1].before(l) {
			return nil, ErrLeaves
		}
		leaves = append(leaves, l)
	}
	return leaves, nil
}

func parseLeaf(b [leafSize]byte) Leaf {
	return Leaf{
		Owner: uuid.UUID(b[:16]),
		Head:  Head{Seq: binary.BigEndian.Uint64(b[16:]), Hash: Hash(b[24:])},
	}
}

func (l Leaf) before(other Leaf) bool { return bytes.Compare(l.Owner[:], other.Owner[:]) < 0 }

// Root returns the root of the Merkle tree of leaves in the order of their ids (RFC 6962, section
// 2.1). The tree is one of states: the next checkpoint's does not extend it.
func Root(leaves []Leaf) Hash {
	switch n := len(leaves); n {
	case 0:
		return sha256.Sum256(nil)
	case 1:
		return Hash(tlog.RecordHash(leaves[0].Append(make([]byte, 0, leafSize))))
	default:
		k := split(n)
		left, right := tlog.Hash(Root(leaves[:k])), tlog.Hash(Root(leaves[k:]))
		return Hash(tlog.NodeHash(left, right))
	}
}

// split returns the size of the left part of a tree: the largest power of two below n.
func split(n int) int { return 1 << (bits.Len(uint(n-1)) - 1) }

// Prove returns the proof that the leaf at index is in the tree of leaves (RFC 6962, section
// 2.1.1): about 20 hashes in a tree of a million.
func Prove(leaves []Leaf, index int) []Hash {
	if len(leaves) <= 1 {
		return nil
	}
	k := split(len(leaves))
	if index < k {
		return append(Prove(leaves[:k], index), Root(leaves[k:]))
	}
	return append(Prove(leaves[k:], index-k), Root(leaves[:k]))
}

// proves reports whether proof shows that leaf is the one at index in the tree of a checkpoint.
func (c Checkpoint) proves(leaf Leaf, index uint64, proof []Hash) bool {
	if c.Chains > 1<<62 || index >= c.Chains {
		return false
	}
	path := make(tlog.RecordProof, len(proof))
	for i, h := range proof {
		path[i] = tlog.Hash(h)
	}
	hash := tlog.RecordHash(leaf.Append(nil))
	//nolint:gosec // both are below 2⁶²
	return tlog.CheckRecord(path, int64(c.Chains), tlog.Hash(c.Root), int64(index), hash) == nil
}

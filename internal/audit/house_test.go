package audit_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/audit"
)

// A house is what an instance keeps: chains in the order of their ids, the first of which is the
// instance's, and the checkpoints that were made of them.
type house struct {
	key         ed25519.PrivateKey
	signer      uuid.UUID // the instance key of key
	chains      []*chain
	cuts        map[uuid.UUID]audit.Head
	checkpoints []audit.Checkpoint
}

// A kept is what somebody keeps of a checkpoint elsewhere.
type kept struct {
	note   []byte
	leaves []audit.Leaf
}

func (k kept) earlier() *audit.Kept {
	return &audit.Kept{Note: k.note, Leaves: audit.AppendLeaves(nil, k.leaves)}
}

const houseChains = 7

var houseTime = time.UnixMicro(1_776_254_400_000_000).UTC()

func newHouse() *house {
	h := &house{
		signer: instanceKey,
		key:    ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)),
		cuts:   map[uuid.UUID]audit.Head{},
	}
	for i := range byte(houseChains) {
		c := &chain{owner: fakeID(0x10 + i)}
		for range i { // the last of them have more entries than the first
			c.use()
		}
		h.chains = append(h.chains, c)
	}
	return h
}

func (c *chain) use() {
	c.add(audit.Entry{
		At: time.UnixMicro(1_776_254_400_000_000), User: c.owner, Action: "secret.update",
		Outcome: audit.Done, Target: audit.Target{
			Kind: audit.TargetSecret, ID: fakeID(1), Name: fmt.Sprint("NAME_", len(c.entries)),
		},
	})
}

var instanceKey = fakeID(0xee)

func (h *house) verifier(tb testing.TB) string {
	tb.Helper()
	text, err := audit.VerifierKey(h.signer, h.key.Public().(ed25519.PublicKey))
	if err != nil {
		tb.Fatal(err)
	}
	return text
}

func (h *house) leaves() (leaves []audit.Leaf) {
	for _, c := range h.chains {
		leaves = append(leaves, audit.Leaf{Owner: c.owner, Head: c.head})
	}
	return leaves
}

// checkpoint makes one, and records it in the instance's chain.
func (h *house) checkpoint(tb testing.TB) kept {
	tb.Helper()
	return h.checkpointWithout(tb)
}

// checkpointWithout is checkpoint, which says nothing of some chains.
func (h *house) checkpointWithout(tb testing.TB, chains ...int) kept {
	tb.Helper()
	k := kept{leaves: h.leaves()}
	for _, i := range chains {
		k.leaves[i].Head = audit.Unproved()
	}
	c := audit.Checkpoint{
		InstanceKey: h.signer, Number: uint64(len(h.checkpoints) + 1),
		At: houseTime, Chains: uint64(len(k.leaves)),
		Root: audit.Root(k.leaves),
	}
	if n := len(h.checkpoints); n > 0 {
		c.Before = h.checkpoints[n-1].Hash()
	}
	var err error
	if k.note, err = c.Sign(h.key); err != nil {
		tb.Fatal(err)
	}
	h.checkpoints = append(h.checkpoints, c)
	h.chains[0].add(audit.Entry{
		Action: "audit.checkpoint", Outcome: audit.Done, Target: audit.Target{
			Kind: audit.TargetCheckpoint, Name: c.Hash().String(), Version: c.Number,
		},
	})
	return k
}

// entries returns the entries of a chain up to its leaf.
func (h *house) entries(l audit.Leaf) (audit.Head, iter.Seq2[audit.Linked, error]) {
	i := slices.IndexFunc(h.chains, func(c *chain) bool { return c.owner == l.Owner })
	cut := h.cuts[l.Owner]
	return cut, audit.Sequence(h.chains[i].entries[cut.Seq:l.Seq])
}

// export writes an export of all chains of a checkpoint.
func (h *house) export(tb testing.TB, k kept) []byte {
	tb.Helper()
	return h.write(tb, audit.Export{Note: k.note, Leaves: k.leaves})
}

// exportOne writes an export of one chain.
func (h *house) exportOne(tb testing.TB, k kept, i int) []byte {
	tb.Helper()
	return h.write(tb, audit.Export{
		Note: k.note, Leaves: k.leaves[i : i+1], Index: uint64(i),
		Proof: audit.Prove(k.leaves, i),
	})
}

func (h *house) write(tb testing.TB, x audit.Export) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := x.Write(&b, h.entries); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// recompute makes a chain anew from an entry on, as somebody does who has the database.
func (c *chain) recompute(from int, change func(*audit.Entry)) {
	old := c.entries
	*c = chain{owner: c.owner}
	for i, e := range old {
		if i == from {
			change(&e.Entry)
		}
		c.add(e.Entry)
	}
}

func (c *chain) truncate(n int) {
	c.entries = c.entries[:n]
	c.head = audit.Head{}
	if n > 0 {
		c.head = audit.Head{Seq: uint64(n), Hash: c.entries[n-1].Hash}
	}
}

// manyLeaves returns leaves in the order of their ids.
func manyLeaves(n int) []audit.Leaf {
	leaves := make([]audit.Leaf, n)
	for i := range leaves {
		l := audit.Leaf{Head: audit.Head{Seq: uint64(i), Hash: sha256.Sum256([]byte{byte(i)})}}
		l.Owner[12], l.Owner[13] = byte(i>>24), byte(i>>16)
		l.Owner[14], l.Owner[15] = byte(i>>8), byte(i)
		leaves[i] = l
	}
	return leaves
}

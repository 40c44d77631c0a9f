package redact

// A trie finds all patterns in one pass over a text, by the method of Aho and Corasick. Its nodes
// are few bytes each, because a value may be long and has many forms.
type trie struct {
	nodes    []node // nodes[0] is the root
	first    [256]int32
	patterns []pattern
}

type pattern struct {
	length int
	mask   string
}

// A node stands for a text with which some pattern begins.
type node struct {
	child, sibling int32 // 0: none
	fail           int32 // the node of its longest proper suffix
	depth          int32
	open           int32 // the length of its longest suffix that more can be added to
	found          int32 // 1 + the longest pattern with which it ends; 0: none
	last           byte
}

func (t *trie) add(text []byte, mask string) {
	if len(t.nodes) == 0 {
		t.nodes = make([]node, 1)
	}
	at := int32(0)
	for _, b := range text {
		next := t.child(at, b)
		if next == 0 {
			next = t.grow(at, b)
		}
		at = next
	}
	if t.nodes[at].found == 0 {
		t.patterns = append(t.patterns, pattern{length: len(text), mask: mask})
		t.nodes[at].found = int32(len(t.patterns)) //nolint:gosec // far fewer than 2³¹
	}
}

func (t *trie) grow(at int32, b byte) int32 {
	next := int32(len(t.nodes)) //nolint:gosec // the forms of 50 values have far fewer bytes
	t.nodes = append(t.nodes, node{
		sibling: t.nodes[at].child, depth: t.nodes[at].depth + 1, last: b,
	})
	t.nodes[at].child = next
	if at == 0 {
		t.first[b] = next
	}
	return next
}

func (t *trie) child(at int32, b byte) int32 {
	if at == 0 {
		return t.first[b]
	}
	for c := t.nodes[at].child; c != 0; c = t.nodes[c].sibling {
		if t.nodes[c].last == b {
			return c
		}
	}
	return 0
}

// link sets the failure links, after the last pattern was added.
func (t *trie) link() {
	if len(t.nodes) == 0 {
		t.nodes = make([]node, 1)
	}
	queue := make([]int32, 0, len(t.nodes))
	for c := t.nodes[0].child; c != 0; c = t.nodes[c].sibling {
		queue = append(queue, c)
	}
	for i := 0; i < len(queue); i++ {
		at := queue[i]
		if n := &t.nodes[at]; n.child != 0 {
			n.open = n.depth
		} else {
			n.open = t.nodes[n.fail].open
		}
		for c := t.nodes[at].child; c != 0; c = t.nodes[c].sibling {
			n := &t.nodes[c]
			n.fail = t.next(t.nodes[at].fail, n.last)
			if n.found == 0 {
				n.found = t.nodes[n.fail].found
			}
			queue = append(queue, c)
		}
	}
}

// next returns the node for the text of at followed by b, or for its longest suffix that has one.
func (t *trie) next(at int32, b byte) int32 {
	for {
		if c := t.child(at, b); c != 0 {
			return c
		}
		if at == 0 {
			return 0
		}
		at = t.nodes[at].fail
	}
}

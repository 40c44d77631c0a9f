package redact

// A search looks for values in a text that comes in pieces.
type search struct {
	scans  [2]scan
	begins *begins
	pos    int // how many bytes came
}

func (m *Masks) search() search {
	return search{
		scans:  [2]scan{{trie: &m.text}, {trie: &m.base64, skips: minBroken}},
		begins: &m.begins,
	}
}

// begins are the two bytes with which patterns begin, as bits by their hash. Every pattern has two.
type begins [1 << 12 / 64]uint64

func beginOf(one, two byte) uint { return (uint(one)<<4 ^ uint(two)) % (1 << 12) }

// add takes in the patterns of a trie. A line break may come between the two bytes.
func (b *begins) add(t *trie) {
	for one := t.nodes[0].child; one != 0; one = t.nodes[one].sibling {
		first := t.nodes[one].last
		b.set(first, '\r')
		b.set(first, '\n')
		for two := t.nodes[one].child; two != 0; two = t.nodes[two].sibling {
			b.set(first, t.nodes[two].last)
		}
	}
}

func (b *begins) set(one, two byte) {
	at := beginOf(one, two)
	b[at/64] |= 1 << (at % 64)
}

// idle returns how many bytes at the beginning of p begin no pattern, while none has begun. Most of
// a text is such.
func (s *search) idle(p []byte) int {
	if s.scans[0].state|s.scans[1].state != 0 || len(p) == 0 {
		return 0
	}
	last := len(p) - 1
	for i := range last {
		if at := beginOf(p[i], p[i+1]); s.begins[at/64]>>(at%64)&1 != 0 {
			return i
		}
	}
	if b := p[last]; s.scans[0].trie.first[b]|s.scans[1].trie.first[b] != 0 {
		return last
	}
	return len(p)
}

// rest passes over the bytes at the beginning of p that begin no pattern, and returns the rest.
func (s *search) rest(p []byte) []byte {
	n := s.idle(p)
	s.pos += n
	return p[n:]
}

// next takes a byte, and returns the pattern that ends there, if any.
func (s *search) next(b byte) (match, bool) {
	s.pos++
	one, found := s.scans[0].next(s.pos, b)
	two, inBase64 := s.scans[1].next(s.pos, b)
	if inBase64 && (!found || two.start < one.start) {
		return two, true
	}
	return one, found
}

// open returns where the first pattern may begin that is not complete.
func (s *search) open() int { return min(s.scans[0].open(s.pos), s.scans[1].open(s.pos)) }

// A Finder looks for values in a text that comes in pieces, and changes nothing.
type Finder struct{ search }

// Finder returns a finder at the beginning of a text.
func (m *Masks) Finder() *Finder {
	f := &Finder{m.search()}
	f.scans[1].skips = 1 // who finds does not hold back every end of a line
	return f
}

// Next takes the next piece, and reports whether there is a value now. If there is none yet, open
// is how many of the last bytes may be the beginning of one.
func (f *Finder) Next(p []byte) (open int, found bool) {
	for p = f.rest(p); len(p) > 0; p = f.rest(p[1:]) {
		if _, found := f.next(p[0]); found {
			return 0, true
		}
	}
	return f.pos - f.open(), false
}

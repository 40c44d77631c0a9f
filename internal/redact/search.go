package redact

// A search looks for values in a text that comes in pieces.
type search struct {
	scans [2]scan
	pos   int // how many bytes came
}

func (m *Masks) search() search {
	return search{scans: [2]scan{{trie: &m.text}, {trie: &m.base64, skips: true}}}
}

// idle returns how many bytes at the beginning of p begin no pattern, while none has begun. Most of
// a text is such.
func (s *search) idle(p []byte) int {
	if s.scans[0].state|s.scans[1].state != 0 {
		return 0
	}
	text, base64 := &s.scans[0].trie.first, &s.scans[1].trie.first
	for i, b := range p {
		if text[b]|base64[b] != 0 {
			return i
		}
	}
	return len(p)
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
func (m *Masks) Finder() *Finder { return &Finder{m.search()} }

// Next takes the next piece, and reports whether there is a value now. If there is none yet, open
// is how many of the last bytes may be the beginning of one.
func (f *Finder) Next(p []byte) (open int, found bool) {
	for i := 0; i < len(p); i++ {
		if n := f.idle(p[i:]); n > 0 {
			f.pos += n
			if i += n; i == len(p) {
				break
			}
		}
		if _, found := f.next(p[i]); found {
			return 0, true
		}
	}
	return f.pos - f.open(), false
}

package redact

import "slices"

// minBroken is how much of a form there must be before a line break that interrupts it, where what
// has begun is held back. Otherwise the end of nearly every line would wait for the next one.
const minBroken = 16

// A scan looks for the patterns of a trie in a text that comes byte by byte. One that skips finds
// them also where line breaks interrupt them.
type scan struct {
	trie    *trie
	state   int32
	skips   int32 // how much there must be before a line break that interrupts it; 0: none may
	skipped []int // where the line breaks were in what has begun to match
}

// next takes the byte before pos, and returns the longest pattern that ends there, if any.
func (s *scan) next(pos int, b byte) (match, bool) {
	if s.skips > 0 && (b == '\n' || b == '\r') {
		if s.trie.nodes[s.state].open >= s.skips && !s.isBlank(pos-1) {
			begin := s.open(pos - 1)
			s.skipped = append(slices.DeleteFunc(s.skipped, func(at int) bool {
				return at < begin
			}), pos-1)
		} else {
			s.state, s.skipped = 0, s.skipped[:0]
		}
		return match{}, false
	}
	if s.state = s.trie.next(s.state, b); s.state == 0 {
		s.skipped = s.skipped[:0]
		return match{}, false
	}
	i := s.trie.nodes[s.state].found
	if i == 0 {
		return match{}, false
	}
	p := s.trie.patterns[i-1]
	return match{s.start(pos, p.length), pos, p.mask}, true
}

// isBlank reports whether a line break ends an empty line. No tool writes one into base64, and what
// is held back must not grow with them.
func (s *scan) isBlank(at int) bool {
	n := len(s.skipped)
	return n > 1 && s.skipped[n-1] == at-1 && s.skipped[n-2] == at-2
}

// open returns where the first pattern may begin that is not complete at pos.
func (s *scan) open(pos int) int { return s.start(pos, int(s.trie.nodes[s.state].open)) }

// start returns where a text of this length begins that ends at pos.
func (s *scan) start(pos, length int) int {
	start := pos - length
	for i := len(s.skipped) - 1; i >= 0 && s.skipped[i] >= start; i-- {
		start--
	}
	return start
}

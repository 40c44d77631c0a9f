package redact

import (
	"io"
	"slices"
)

// A Stream replaces each value in a text that comes in pieces by its mask. It holds back only an
// end of the text with which a value may begin. Of values inside one another the longest is
// replaced. Of values that overlap each one's mask is there, and no byte of either.
type Stream struct {
	search

	// out counts the bytes that are dealt with. text is what came after them.
	out      int
	text     []byte
	cut      int     // how much of text is dealt with, and not yet dropped
	found    []match // by start, and by end
	ready    []byte
	replaced int
}

// A match is an occurrence of a value in the text.
type match struct {
	start, end int
	mask       string
}

// Stream returns a stream at the beginning of a text.
func (m *Masks) Stream() *Stream { return &Stream{search: m.search()} }

// Next takes the next piece, and returns what is certain now. That is valid until the next call,
// and is p itself if nothing in it is a value, or may be, and nothing was held back.
func (s *Stream) Next(p []byte) []byte {
	for rest := s.rest(p); len(rest) > 0; rest = s.rest(rest[1:]) {
		if m, found := s.next(rest[0]); found {
			s.add(m)
		}
	}
	open := s.open()
	if len(s.text)+len(s.found) == 0 && open == s.pos {
		s.out = s.pos
		return p
	}
	s.text = append(s.text, p...)
	return s.release(open)
}

// End returns what was held back.
func (s *Stream) End() []byte {
	s.scans[0].state, s.scans[1].state = 0, 0
	return s.release(s.pos + 1)
}

// add notes an occurrence. Those inside it are dropped: it ends last, so they begin no earlier.
func (s *Stream) add(m match) {
	n := len(s.found)
	for n > 0 && s.found[n-1].start >= m.start {
		n--
	}
	s.found = append(s.found[:n], m)
}

// release returns everything before limit, where the first value may begin that is not complete. An
// occurrence that begins there may still be the beginning of a longer one.
func (s *Stream) release(limit int) []byte {
	s.ready = s.ready[:0]
	n := 0
	for ; n < len(s.found) && s.found[n].start < limit; n++ {
		m := s.found[n]
		s.pass(m.start)
		s.ready = append(s.ready, m.mask...)
		s.replaced++
		s.skip(m.end)
	}
	s.found = slices.Delete(s.found, 0, n)
	s.pass(min(limit, s.pos))
	s.text, s.cut = slices.Delete(s.text, 0, s.cut), 0 // clears what it leaves behind
	return s.ready
}

// pass makes the text before end ready as it is.
func (s *Stream) pass(end int) {
	if n := end - s.out; n > 0 {
		s.ready = append(s.ready, s.text[s.cut:s.cut+n]...)
		s.skip(end)
	}
}

// skip leaves out the text before end.
func (s *Stream) skip(end int) {
	if n := end - s.out; n > 0 {
		s.cut += n
		s.out = end
	}
}

// Replaced returns how many occurrences were replaced until now.
func (s *Stream) Replaced() int { return s.replaced }

// A Writer passes on what is written to it as a [Stream] has it.
type Writer struct {
	Stream

	to io.Writer
}

// Writer returns a writer that writes to w. Close it at the end.
func (m *Masks) Writer(w io.Writer) *Writer {
	return &Writer{Stream: Stream{search: m.search()}, to: w}
}

// Write implements [io.Writer].
func (w *Writer) Write(p []byte) (int, error) {
	if err := w.pass(w.Next(p)); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the writer below.
func (w *Writer) Close() error { return w.pass(w.End()) }

func (w *Writer) pass(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	_, err := w.to.Write(p)
	return err
}

package redact

import (
	"io"
	"slices"
)

// A Writer passes on what is written to it, with each value replaced by its mask. It holds back
// only an end of the text with which a value may begin. Of values inside one another the longest is
// replaced. Of values that overlap each one's mask is written, and no byte of either.
type Writer struct {
	search

	to io.Writer
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

// Writer returns a writer that writes to w. Close it at the end.
func (m *Masks) Writer(w io.Writer) *Writer {
	return &Writer{search: m.search(), to: w}
}

// Write implements [io.Writer].
func (w *Writer) Write(p []byte) (int, error) {
	w.text = append(w.text, p...)
	for i := 0; i < len(p); i++ {
		if n := w.idle(p[i:]); n > 0 {
			w.pos += n
			if i += n; i == len(p) {
				break
			}
		}
		if m, found := w.next(p[i]); found {
			w.add(m)
		}
	}
	if err := w.release(w.open()); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Close writes what was held back. It does not close the writer below.
func (w *Writer) Close() error {
	w.scans[0].state, w.scans[1].state = 0, 0
	return w.release(w.pos + 1)
}

// add notes an occurrence. Those inside it are dropped: it ends last, so they begin no earlier.
func (w *Writer) add(m match) {
	n := len(w.found)
	for n > 0 && w.found[n-1].start >= m.start {
		n--
	}
	w.found = append(w.found[:n], m)
}

// release writes everything before limit, where the first value may begin that is not complete. An
// occurrence that begins there may still be the beginning of a longer one.
func (w *Writer) release(limit int) error {
	n := 0
	for ; n < len(w.found) && w.found[n].start < limit; n++ {
		m := w.found[n]
		w.pass(m.start)
		w.ready = append(w.ready, m.mask...)
		w.replaced++
		w.skip(m.end)
	}
	w.found = slices.Delete(w.found, 0, n)
	w.pass(min(limit, w.pos))
	w.text, w.cut = slices.Delete(w.text, 0, w.cut), 0 // clears what it leaves behind
	if len(w.ready) == 0 {
		return nil
	}
	_, err := w.to.Write(w.ready)
	w.ready = w.ready[:0]
	return err
}

// pass makes the text before end ready to be written as it is.
func (w *Writer) pass(end int) {
	if n := end - w.out; n > 0 {
		w.ready = append(w.ready, w.text[w.cut:w.cut+n]...)
		w.skip(end)
	}
}

// skip leaves out the text before end.
func (w *Writer) skip(end int) {
	if n := end - w.out; n > 0 {
		w.cut += n
		w.out = end
	}
}

// Replaced returns how many occurrences were replaced until now.
func (w *Writer) Replaced() int { return w.replaced }

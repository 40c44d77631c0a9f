package sqlite

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Offsets of the file formats: sqlite.org/fileformat2.html, sections 1.6 and 4.1.
const (
	walHeader   = 32
	frameHeader = 24
	// tableLeaf is the type of the only pages that have blobs in rows. An overflow page has the
	// number of the next one there: no database is so large that this would be a type.
	tableLeaf       = 13
	tableLeafHeader = 8
)

// look adds the pages to gaps that have data in their gap in the first frames of the log, without
// those frames that it has looked at before. A page too many does no harm: it is read again.
func (w *wal) look(frames int) error {
	f, err := os.Open(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it was only read
	var head [walHeader]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return ignoreEnd(err)
	}
	if head != w.header { // it has begun anew
		w.header, w.looked = head, 0
	}
	frame := make([]byte, frameHeader+binary.BigEndian.Uint32(head[8:]))
	if _, err := f.Seek(walHeader+int64(w.looked)*int64(len(frame)), io.SeekStart); err != nil {
		return err
	}
	for r := bufio.NewReaderSize(f, 1<<18); w.looked < frames; w.looked++ {
		if _, err := io.ReadFull(r, frame); err != nil {
			return ignoreEnd(err)
		}
		number := int64(binary.BigEndian.Uint32(frame))
		if number > 1 && hasData(gap(frame[frameHeader:])) {
			w.gaps = append(w.gaps, number)
		}
	}
	return nil
}

// ignoreEnd is for a log that is empty, or that another process is truncating.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// gap returns the unused bytes between the pointers and the rows of a page; none of a page that has
// no blobs in rows.
func gap(page []byte) []byte {
	if len(page) < tableLeafHeader || page[0] != tableLeaf {
		return nil
	}
	from := tableLeafHeader + 2*int(binary.BigEndian.Uint16(page[3:]))
	to := int(binary.BigEndian.Uint16(page[5:]))
	if to <= from || to > len(page) {
		return nil
	}
	return page[from:to]
}

func hasData(b []byte) bool { return bytes.Count(b, []byte{0}) < len(b) }

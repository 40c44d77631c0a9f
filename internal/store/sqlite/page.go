package sqlite

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
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

// pagesWithData returns the numbers of the pages that have data in their gap in the log. A number
// too many does no harm: the page is read again.
func (w *wal) pagesWithData() (numbers []int64, err error) {
	f, err := os.Open(w.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	r := bufio.NewReaderSize(f, 1<<18)
	head := make([]byte, walHeader)
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, ignoreEnd(err)
	}
	frame := make([]byte, frameHeader+binary.BigEndian.Uint32(head[8:]))
	for {
		if _, err := io.ReadFull(r, frame); err != nil {
			slices.Sort(numbers)
			return slices.Compact(numbers), ignoreEnd(err)
		}
		number := int64(binary.BigEndian.Uint32(frame))
		if number > 1 && hasData(gap(frame[frameHeader:])) {
			numbers = append(numbers, number)
		}
	}
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

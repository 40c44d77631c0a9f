package backup

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"iter"
	"time"

	"github.com/go-json-experiment/json"
)

// Write writes a backup of src to w. m says what src does not: the schema, the time, and where the
// audit log ended. It returns the manifest and the digest. Memory is bounded whatever src has. A
// row that the format cannot hold, and a number of rows other than the source's count, are errors:
// what was written is no backup.
func Write(
	ctx context.Context, w io.Writer, src Source, m Manifest,
) (_ Manifest, d Digest, err error) {
	m.Format, m.CreatedAt = Format, m.CreatedAt.UTC().Truncate(time.Microsecond)
	if m.Tables, err = src.Tables(ctx); err != nil {
		return m, d, err
	}
	if err := checkTables(m.Tables); err != nil {
		return m, d, fmt.Errorf("backup: %w", err)
	}
	manifest, err := json.Marshal(m)
	if err != nil {
		return m, d, fmt.Errorf("backup: the manifest cannot be written: %w", err)
	}
	sum := sha256.New()
	out := &writer{buffer: bufio.NewWriterSize(w, 256<<10), sum: sum}
	out.write([]byte(magicLine(Format)))
	out.write(append(manifest, '\n'))
	for _, t := range m.Tables {
		out.table(t, src.Rows(ctx, t.Name))
	}
	sum.Sum(d[:0])
	out.write([]byte(trailer(d)))
	if out.err == nil {
		out.err = out.buffer.Flush()
	}
	return m, d, out.err
}

// writer keeps the first error.
type writer struct {
	buffer *bufio.Writer
	sum    hash.Hash
	line   []byte
	err    error
}

// write writes one line.
func (w *writer) write(line []byte) {
	if w.err != nil {
		return
	}
	if len(line) > maxLine {
		w.err = fmt.Errorf("backup: a line is longer than %d bytes", maxLine)
		return
	}
	w.sum.Write(line)
	_, w.err = w.buffer.Write(line)
}

// table writes the rows of one table.
func (w *writer) table(t Table, rows iter.Seq2[Row, error]) {
	if w.err != nil {
		return
	}
	s := sequence{table: t}
	for r, err := range rows {
		if err != nil {
			w.err = err
			return
		}
		if flaw := s.add(r); flaw != "" {
			w.err = fmt.Errorf("backup: row %d of %s: %s", s.n+1, t.Name, flaw)
			return
		}
		if w.line, err = appendRow(w.line[:0], t.Name, r); err != nil { // err may quote the row
			w.err = fmt.Errorf("backup: row %d of %s has a text that is not UTF-8", s.n, t.Name)
			return
		}
		if w.write(w.line); w.err != nil {
			return
		}
	}
	if s.n != t.Rows {
		w.err = fmt.Errorf("backup: %s has %d rows, not the %d counted", t.Name, s.n, t.Rows)
	}
}

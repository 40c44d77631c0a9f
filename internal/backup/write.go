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

// The tables, in the order in which a backup has them.
const (
	tableInstance  = "instance"
	tableUsers     = "users"
	tableOwnerKeys = "owner_keys"
	tableAPIKeys   = "api_keys"
	tableSecrets   = "secrets"
	tableVersions  = "secret_versions"
	tableAudit     = "audit_entries"
)

// line is a row as it is written.
type line[T row] struct {
	Table string `json:"table"`
	Row   T      `json:"row"`
}

// Write writes a backup of src to w, of a database with that schema, at that time. It returns the
// manifest and the digest. Memory is bounded whatever src has. A row that the format cannot hold,
// or one more or less than src counts, is an error; then what was written is no backup.
func Write(
	ctx context.Context,
	w io.Writer,
	src Source,
	schema int64,
	now time.Time,
) (m Manifest, d Digest, err error) {
	m = Manifest{Format: Format, Schema: schema, CreatedAt: now.UTC().Truncate(time.Microsecond)}
	if m.RootKeys, err = src.RootKeys(ctx); err != nil {
		return m, d, err
	}
	if m.Rows, err = src.Count(ctx); err != nil {
		return m, d, err
	}
	if m.Heads, err = headsOf(ctx, src); err != nil {
		return m, d, err
	}
	sum := sha256.New()
	out := &writer{buffer: bufio.NewWriterSize(w, 256<<10), sum: sum}
	out.write([]byte(magicLine(Format)))
	out.line(m)
	section(out, tableInstance, m.Rows.Instances, src.Instances(ctx))
	section(out, tableUsers, m.Rows.Users, src.Users(ctx))
	section(out, tableOwnerKeys, m.Rows.OwnerKeys, src.OwnerKeys(ctx))
	section(out, tableAPIKeys, m.Rows.APIKeys, src.APIKeys(ctx))
	section(out, tableSecrets, m.Rows.Secrets, src.Secrets(ctx))
	section(out, tableVersions, m.Rows.Versions, src.Versions(ctx))
	section(out, tableAudit, m.Rows.AuditEntries, src.AuditEntries(ctx))
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
	err    error
}

func (w *writer) write(b []byte) {
	if w.err == nil {
		w.sum.Write(b)
		_, w.err = w.buffer.Write(b)
	}
}

func (w *writer) line(v any) {
	if w.err != nil {
		return
	}
	b, err := json.Marshal(v)
	if err != nil {
		// json's error may quote the row
		w.err = fmt.Errorf("backup: a row cannot be written: is its text UTF-8? (%T)", v)
		return
	}
	if len(b) >= maxLine {
		w.err = fmt.Errorf("backup: a row is longer than %d bytes (%T)", maxLine, v)
		return
	}
	w.write(append(b, '\n'))
}

// section writes the rows of one table.
func section[T row](w *writer, table string, want int64, rows iter.Seq2[T, error]) {
	var before place
	var n int64
	for r, err := range rows {
		here := r.order()
		switch {
		case w.err != nil:
			return
		case err != nil:
			w.err = err
			return
		case n > 0 && !before.before(here):
			w.err = fmt.Errorf("backup: the rows of %s are not in order", table)
			return
		}
		before = here
		n++
		w.line(line[T]{table, r})
	}
	if n != want && w.err == nil {
		w.err = fmt.Errorf("backup: %s has %d rows, not the %d that were counted", table, n, want)
	}
}

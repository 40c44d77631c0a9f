package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"

	"github.com/go-json-experiment/json"
)

// A File is a backup that was found to be whole. It is a [Source] that reads from the file, which
// must not change.
type File struct {
	manifest Manifest
	digest   Digest
	body     *io.SectionReader // all but the trailer
	sections map[string]start
}

var _ Source = (*File)(nil)

// start is where the rows of a table begin.
type start struct {
	offset int64
	line   int64 // the number of the line before
	rows   int64
}

// Open reads all of a backup of that size in bytes, and returns it if it is whole: its digest is
// right, and what it holds is what its format and its manifest say. The errors are [ErrNotBackup],
// [ErrNewer], [ErrCutShort], [ErrDigest] and [ErrContents], or the reader's. Memory is bounded
// whatever is read.
func Open(ctx context.Context, r io.ReaderAt, size int64) (*File, error) {
	if err := checkFormat(r); err != nil {
		return nil, err
	}
	f := &File{sections: map[string]start{}}
	if err := f.checkDigest(ctx, r, size); err != nil {
		return nil, err
	}
	in := newLines(ctx, f.body, start{})
	if _, err := in.next(); err != nil { // the magic line
		return nil, err
	}
	if err := f.readManifest(in); err != nil {
		return nil, err
	}
	rows := f.manifest.Rows
	err := join(
		f.scan(in, tableInstance, rows.Instances, scanSection[Instance]),
		f.scan(in, tableUsers, rows.Users, scanSection[User]),
		f.scan(in, tableOwnerKeys, rows.OwnerKeys, scanSection[OwnerKey]),
		f.scan(in, tableAPIKeys, rows.APIKeys, scanSection[APIKey]),
		f.scan(in, tableSecrets, rows.Secrets, scanSection[Secret]),
		f.scan(in, tableVersions, rows.Versions, scanSection[Version]),
		f.scan(in, tableAudit, rows.AuditEntries, scanSection[AuditEntry]),
	)
	if err != nil {
		return nil, err
	}
	if _, err := in.next(); !errors.Is(err, io.EOF) {
		return nil, join(err, contents(in.number, "there are more rows than the manifest says"))
	}
	return f, f.checkHeads(ctx)
}

// Manifest returns what the backup says of itself.
func (f *File) Manifest() Manifest { return f.manifest }

// Digest returns the digest over the backup.
func (f *File) Digest() Digest { return f.digest }

// checkFormat reads the magic line.
func checkFormat(r io.ReaderAt) error {
	head := make([]byte, len(magic)+12)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	number, ok := bytes.CutPrefix(head[:n], []byte(magic))
	digits, _, ended := bytes.Cut(number, []byte("\n"))
	format, err := strconv.ParseUint(string(digits), 10, 31)
	switch {
	case !ok || !ended || err != nil || format == 0 || digits[0] == '0' || digits[0] == '+':
		return ErrNotBackup
	case format > Format:
		return ErrNewer
	}
	return nil
}

// checkDigest finds the trailer and holds all that is before it against it.
func (f *File) checkDigest(ctx context.Context, r io.ReaderAt, size int64) error {
	length := int64(len(trailer(Digest{})))
	last := make([]byte, length)
	if size < length {
		return ErrCutShort
	}
	if _, err := r.ReadAt(last, size-length); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	var end struct {
		Digest Digest `json:"sha256"`
	}
	if json.Unmarshal(last, &end) != nil || string(last) != trailer(end.Digest) {
		return ErrCutShort
	}
	f.body = io.NewSectionReader(r, 0, size-length)
	sum := sha256.New()
	if _, err := io.Copy(sum, &patient{ctx, f.body}); err != nil {
		return err
	}
	if sum.Sum(f.digest[:0]); f.digest != end.Digest {
		return ErrDigest
	}
	_, err := f.body.Seek(0, io.SeekStart)
	return err
}

// patient reads until ctx is done.
type patient struct {
	ctx context.Context //nolint:containedctx // it is the caller's, for the length of the caller's call
	r   io.Reader
}

// Read implements [io.Reader].
func (p *patient) Read(b []byte) (int, error) {
	if err := p.ctx.Err(); err != nil {
		return 0, err
	}
	return p.r.Read(b)
}

func (f *File) readManifest(in *lines) error {
	text, err := in.next()
	if err != nil {
		return join(notEOF(err, in.number), err)
	}
	m := &f.manifest
	if json.Unmarshal(text, m, json.RejectUnknownMembers(true)) != nil {
		return contents(in.number, "it is no manifest")
	}
	rows := m.Rows
	counts := min(
		rows.Instances, rows.Users,
		rows.OwnerKeys,
		rows.APIKeys,
		rows.Secrets,
		rows.Versions,
		rows.AuditEntries,
	)
	if m.Format != Format || m.Schema < 1 || counts < 0 || len(m.RootKeys) > maxRootKeys {
		return contents(in.number, "the manifest has a number that cannot be")
	}
	return nil
}

// checkHeads holds the manifest's heads against the users' rows.
func (f *File) checkHeads(ctx context.Context) error {
	heads, err := headsOf(ctx, f)
	if err == nil && heads != f.manifest.Heads {
		err = fmt.Errorf(
			"%w: the ends of the audit chains are not those of the manifest",
			ErrContents,
		)
	}
	return err
}

// scan notes where a table begins, and reads it.
func (f *File) scan(
	in *lines,
	table string,
	n int64,
	read func(*lines, string, int64) error,
) error {
	if in.failed != nil {
		return in.failed
	}
	f.sections[table] = start{offset: in.offset, line: in.number, rows: n}
	in.failed = read(in, table, n)
	return in.failed
}

func scanSection[T row](in *lines, table string, n int64) error {
	for _, err := range rowsOf[T](in, table, n) {
		if err != nil {
			return err
		}
	}
	return nil
}

// join returns the first error.
func join(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// rowsOf reads n rows.
func rowsOf[T row](in *lines, table string, n int64) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var before place
		for i := range n {
			r, err := rowOf[T](in, table)
			here := r.order()
			if err == nil && i > 0 && !before.before(here) {
				err = contents(in.number, "the row is not in the order of its table")
			}
			before = here
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

func rowOf[T row](in *lines, table string) (T, error) {
	var l line[T]
	text, err := in.next()
	if err != nil {
		return l.Row, notEOF(err, in.number)
	}
	// json's error may quote the row
	if json.Unmarshal(text, &l, json.RejectUnknownMembers(true)) != nil || l.Table != table {
		return l.Row, contents(in.number, "it is no row of "+table)
	}
	return l.Row, nil
}

// notEOF makes an end where there must be a line an error.
func notEOF(err error, number int64) error {
	if errors.Is(err, io.EOF) {
		return contents(number, "rows are missing after it")
	}
	return err
}

// rows reads a table again, from the file.
func rows[T row](ctx context.Context, f *File, table string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		from := f.sections[table]
		rowsOf[T](newLines(ctx, f.body, from), table, from.rows)(yield)
	}
}

// RootKeys implements [Source].
func (f *File) RootKeys(context.Context) ([]RootKey, error) { return f.manifest.RootKeys, nil }

// Count implements [Source].
func (f *File) Count(context.Context) (Count, error) { return f.manifest.Rows, nil }

// Instances implements [Source].
func (f *File) Instances(ctx context.Context) iter.Seq2[Instance, error] {
	return rows[Instance](ctx, f, tableInstance)
}

// Users implements [Source].
func (f *File) Users(ctx context.Context) iter.Seq2[User, error] {
	return rows[User](ctx, f, tableUsers)
}

// OwnerKeys implements [Source].
func (f *File) OwnerKeys(ctx context.Context) iter.Seq2[OwnerKey, error] {
	return rows[OwnerKey](ctx, f, tableOwnerKeys)
}

// APIKeys implements [Source].
func (f *File) APIKeys(ctx context.Context) iter.Seq2[APIKey, error] {
	return rows[APIKey](ctx, f, tableAPIKeys)
}

// Secrets implements [Source].
func (f *File) Secrets(ctx context.Context) iter.Seq2[Secret, error] {
	return rows[Secret](ctx, f, tableSecrets)
}

// Versions implements [Source].
func (f *File) Versions(ctx context.Context) iter.Seq2[Version, error] {
	return rows[Version](ctx, f, tableVersions)
}

// AuditEntries implements [Source].
func (f *File) AuditEntries(ctx context.Context) iter.Seq2[AuditEntry, error] {
	return rows[AuditEntry](ctx, f, tableAudit)
}

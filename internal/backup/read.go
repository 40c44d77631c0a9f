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
	sections map[string]section
}

var _ Source = (*File)(nil)

// Open reads all of a backup of that size in bytes, and returns it if its digest is right and what
// it holds is what its format and its manifest say. Memory is bounded whatever is read. The errors
// are [ErrNotBackup], [ErrNewer], [ErrCutShort], [ErrDigest] and [ErrContents], or the reader's.
func Open(ctx context.Context, r io.ReaderAt, size int64) (*File, error) {
	if err := checkFormat(r); err != nil {
		return nil, err
	}
	f := &File{sections: map[string]section{}}
	if err := f.checkDigest(ctx, r, size); err != nil {
		return nil, err
	}
	in := newLines(ctx, f.body, section{})
	if _, err := in.next(); err != nil { // the magic line
		return nil, err
	}
	if err := f.readManifest(in); err != nil {
		return nil, err
	}
	for _, t := range f.manifest.Tables {
		f.sections[t.Name] = section{offset: in.offset, line: in.number}
		for _, err := range rowsOf(in, t) {
			if err != nil {
				return nil, err
			}
		}
	}
	switch _, err := in.next(); {
	case errors.Is(err, io.EOF):
		return f, nil
	case err != nil:
		return nil, err
	}
	return nil, contentsError(in.number, "there are more rows than the manifest says")
}

// Manifest returns what the backup says of itself.
func (f *File) Manifest() Manifest { return f.manifest }

// Digest returns the digest over the backup.
func (f *File) Digest() Digest { return f.digest }

// Tables implements [Source].
func (f *File) Tables(context.Context) ([]Table, error) { return f.manifest.Tables, nil }

// Rows implements [Source].
func (f *File) Rows(ctx context.Context, table string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		t, found := find(f.manifest.Tables, table)
		if !found {
			yield(nil, fmt.Errorf("%w: there is no table %s", ErrContents, table))
			return
		}
		rowsOf(newLines(ctx, f.body, f.sections[table]), t)(yield)
	}
}

// checkFormat reads the magic line.
func checkFormat(r io.ReaderAt) error {
	head := make([]byte, len(Magic)+12)
	n, err := r.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	number, ok := bytes.CutPrefix(head[:n], []byte(Magic))
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

// checkDigest finds the trailer and compares everything before it with its digest.
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
	if _, err := io.Copy(sum, &contextReader{ctx, f.body}); err != nil {
		return err
	}
	if sum.Sum(f.digest[:0]); f.digest != end.Digest {
		return ErrDigest
	}
	return nil
}

func (f *File) readManifest(in *lines) error {
	text, err := in.mustNext()
	if err != nil {
		return err
	}
	m := &f.manifest
	if json.Unmarshal(text, m, json.RejectUnknownMembers(true)) != nil {
		return contentsError(in.number, "it is not a manifest")
	}
	if m.Format != Format || m.Schema < 1 || checkTables(m.Tables) != nil {
		return contentsError(in.number, "the manifest describes tables that cannot exist")
	}
	return nil
}

// rowsOf reads the rows of a table.
func rowsOf(in *lines, t Table) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		s := sequence{table: t}
		for range t.Rows {
			line, err := in.mustNext()
			var r Row
			if err == nil {
				r, err = s.parse(line, in.number)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// parse returns the row of the next line.
func (s *sequence) parse(line []byte, number int64) (Row, error) {
	r, ok := parseRow(line, s.table)
	if !ok {
		return nil, contentsError(number, "it is not a row of "+s.table.Name)
	}
	if flaw := s.add(r); flaw != "" {
		return nil, contentsError(number, flaw)
	}
	return r, nil
}

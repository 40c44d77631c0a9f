package backup

import (
	"bufio"
	"context"
	"errors"
	"io"
)

// section is where the rows of a table begin.
type section struct {
	offset int64
	line   int64 // number of the line before
}

// lines reads line by line, from anywhere in a file, and knows where it is.
type lines struct {
	ctx    context.Context //nolint:containedctx // the caller's, for as long as its call
	in     *bufio.Reader
	long   []byte // a line that is longer than the buffer
	offset int64  // of the next line
	number int64  // of the last line read, from 1
}

func newLines(ctx context.Context, r *io.SectionReader, from section) *lines {
	rest := io.NewSectionReader(r, from.offset, r.Size()-from.offset)
	return &lines{
		ctx:    ctx,
		in:     bufio.NewReaderSize(rest, 64<<10),
		offset: from.offset,
		number: from.line,
	}
}

// next returns the next line without its line feed, valid until the next call; [io.EOF] after the
// last. A line without a line feed, and one that is too long, are [ErrContents].
func (l *lines) next() ([]byte, error) {
	if err := l.ctx.Err(); err != nil {
		return nil, err
	}
	text, err := l.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		text, err = l.rest(text)
	}
	switch {
	case errors.Is(err, io.EOF) && len(text) == 0:
		return nil, io.EOF
	case errors.Is(err, io.EOF):
		return nil, contentsError(l.number+1, "it does not end with a line feed")
	case err != nil:
		return nil, err
	}
	l.offset += int64(len(text))
	l.number++
	return text[:len(text)-1], nil
}

// mustNext is next where the format demands a line.
func (l *lines) mustNext() ([]byte, error) {
	text, err := l.next()
	if errors.Is(err, io.EOF) {
		err = contentsError(l.number, "lines are missing after it")
	}
	return text, err
}

// rest reads on in a line that is longer than the buffer.
func (l *lines) rest(text []byte) ([]byte, error) {
	l.long = append(l.long[:0], text...)
	for {
		more, err := l.in.ReadSlice('\n')
		if len(l.long)+len(more) > maxLine {
			return nil, contentsError(l.number+1, "it is too long")
		}
		l.long = append(l.long, more...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}

// contextReader reads until its context ends.
type contextReader struct {
	ctx context.Context //nolint:containedctx // the caller's, for as long as its call
	r   io.Reader
}

// Read implements [io.Reader].
func (r *contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}

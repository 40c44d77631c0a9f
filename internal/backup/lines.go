package backup

import (
	"bufio"
	"context"
	"errors"
	"io"
)

// lines reads line by line, from anywhere in a file, and knows where it is.
type lines struct {
	ctx    context.Context //nolint:containedctx // it is the caller's, for the length of the caller's call
	in     *bufio.Reader
	long   []byte // a line that is longer than the buffer
	offset int64  // of the next line
	number int64  // of the line that was read last, from 1
	failed error  // the first error of a section
}

func newLines(ctx context.Context, r *io.SectionReader, from start) *lines {
	rest := io.NewSectionReader(r, from.offset, r.Size()-from.offset)
	return &lines{
		ctx:    ctx,
		in:     bufio.NewReaderSize(rest, 64<<10),
		offset: from.offset,
		number: from.line,
	}
}

// next returns the next line without its end, valid until the next call; [io.EOF] after the last. A
// line without an end and one that is too long are [ErrContents].
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
		return nil, contents(l.number+1, "it has no end")
	case err != nil:
		return nil, err
	}
	l.offset += int64(len(text))
	l.number++
	return text[:len(text)-1], nil
}

// rest reads on in a line that is longer than the buffer.
func (l *lines) rest(text []byte) ([]byte, error) {
	l.long = append(l.long[:0], text...)
	for {
		more, err := l.in.ReadSlice('\n')
		if len(l.long)+len(more) > maxLine {
			return nil, contents(l.number+1, "it is too long")
		}
		l.long = append(l.long, more...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return l.long, err
		}
	}
}

package floors

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/privatefile"
)

var (
	// ErrChanged means that something else wrote the file since it was read: it must be read again.
	ErrChanged = errors.New("another program wrote it in the meantime")
	// ErrBusy means that another process writes the file at this moment.
	ErrBusy = errors.New("another program keeps it locked")
)

// compactAbove is how many bytes a file may have beyond twice those that it needs.
const compactAbove = 1 << 20

// A File is a floors file. It is safe for concurrent use, also of several processes.
type File struct {
	path string

	mu   sync.Mutex
	info fs.FileInfo // as this File read or wrote it last; nil for a file that does not exist
	size int64
	live int // records that it needs
}

// New returns the file at a path, which may not exist.
func New(path string) *File { return &File{path: path} }

// Path returns where the file is.
func (f *File) Path() string { return f.path }

// Exists reports whether the file existed when it was last read or written.
func (f *File) Exists() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.info != nil
}

// Read reads the file. One that does not exist is empty. [privatefile.ErrMode]: other users can
// read or change it.
func (f *File) Read() (Content, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read()
}

func (f *File) read() (Content, error) {
	c := empty()
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.info, f.size, f.live = nil, 0, 0
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("floors file: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it must be a regular file")
	}
	if err == nil {
		err = privatefile.CheckMode(info)
	}
	var size int64
	if err == nil {
		c, size, err = parse(file)
	}
	if err != nil {
		return c, fmt.Errorf("floors file %s: %w", f.path, err)
	}
	f.info, f.size, f.live = info, size, 1+len(c.Numbers)+len(c.Resets)
	return c, nil
}

// parse reads records to the end.
func parse(from io.Reader) (c Content, size int64, err error) {
	c = empty()
	r, record := bufio.NewReader(from), make([]byte, recordSize)
	for {
		n, err := io.ReadFull(r, record)
		first := size == 0
		size += int64(n)
		switch {
		case errors.Is(err, io.EOF):
			return c, size, nil
		case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
			return c, size, err
		case first && !bytes.Equal(record, firstRecord()):
			return c, size, errors.New("it is no floors file of this version")
		case err != nil:
			c.Damaged++
			return c, size, nil //nolint:nilerr // the last record is torn, as after a crash
		case !first:
			c.add(record)
		}
	}
}

func empty() Content {
	return Content{Numbers: map[Ledger]uint64{}, Resets: map[uuid.UUID]uint64{}}
}

// Raise stores floors. It creates the file if there is none, and makes one shorter that has grown.
// With no floors it only looks whether the file is as it was. ErrChanged, ErrBusy: nothing was
// stored.
func (f *File) Raise(numbers map[Ledger]uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(numbers) == 0 {
		return f.check()
	}
	grown, err := f.append(Content{Numbers: numbers})
	if err == nil && grown {
		err = f.compact()
	}
	return err
}

// Reset takes away the floors of an instance key, and stores others. ErrBusy: nothing was stored.
func (f *File) Reset(key uuid.UUID, numbers map[uuid.UUID]uint64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for {
		c, err := f.read()
		if err != nil {
			return err
		}
		next := empty()
		next.Resets[key] = c.Resets[key] + 1
		for user, n := range numbers {
			next.Numbers[Ledger{key, user}] = n
		}
		if _, err = f.append(next); !errors.Is(err, ErrChanged) {
			return err
		}
	}
}

// check returns [ErrChanged] unless the file is as it was.
func (f *File) check() error {
	info, err := os.Stat(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		if f.info == nil {
			return nil
		}
		return ErrChanged
	}
	if err == nil && (f.info == nil || !os.SameFile(info, f.info) || info.Size() != f.size) {
		return ErrChanged
	}
	return err
}

// append writes records, and reports whether the file should be made shorter.
func (f *File) append(c Content) (grown bool, err error) {
	if f.info == nil {
		b := append(firstRecord(), c.records()...)
		err := privatefile.Create(f.path, privatefile.Content(b))
		if errors.Is(err, fs.ErrExist) {
			return false, ErrChanged
		}
		if err == nil {
			_, err = f.read()
		}
		return false, err
	}
	file, unlock, err := f.lock()
	if err != nil {
		return false, err
	}
	defer unlock()
	b := make([]byte, (recordSize-f.size%recordSize)%recordSize, 4096)
	if f.size == 0 {
		b = firstRecord()
	}
	n, err := file.Write(append(b, c.records()...))
	f.size += int64(n)
	if err == nil {
		err = file.Sync()
	}
	needed := int64(f.live * recordSize)
	return f.size > 2*needed+compactAbove, err
}

// lock opens the file to append to it, and locks it. ErrBusy: another process has. ErrChanged: it
// is not as it was.
func (f *File) lock() (file *os.File, unlock func(), err error) {
	file, err = os.OpenFile(f.path, os.O_WRONLY|os.O_APPEND, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, ErrChanged
	}
	if err != nil {
		return nil, nil, err
	}
	err = tryLock(file)
	if err == nil {
		err = f.check() // the name may stand for another file than the one that is locked
	}
	if err == nil {
		var info fs.FileInfo
		if info, err = file.Stat(); err == nil && !os.SameFile(info, f.info) {
			err = ErrChanged
		}
	}
	if err != nil {
		return nil, nil, errors.Join(err, file.Close())
	}
	return file, func() { _ = file.Close() }, nil
}

// compact writes the file anew, with what counts.
func (f *File) compact() error {
	_, unlock, err := f.lock()
	if err != nil {
		return err
	}
	defer unlock()
	c, err := f.read()
	if err != nil {
		return err
	}
	b := append(firstRecord(), c.records()...)
	if err := privatefile.Replace(f.path, privatefile.Content(b)); err != nil {
		return err
	}
	_, err = f.read()
	return err
}

package store

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What was destroyed must be in no file. SQLite overwrites what it frees (secure_delete), but two
// kinds of copies stay behind:
//
//   - The journal (WAL) has the pages as they were. So it is cut to nothing after a commit that
//     destroyed something.
//   - When rows move between pages, SQLite rebuilds a page and leaves copies of the rows that went
//     in the gap between its pointers and its rows. So these gaps are overwritten before a page
//     goes from the journal into the database. Which pages changed, the journal says: for that
//     reason SQLite does not empty it by itself.

// remains says what of the commits since the last sweep is in the files still.
type remains int

const (
	none     remains = iota
	replaced         // goes within a second or so, while nobody reads for long
	// goes before the caller is answered, unless the last sweep failed: then as if it were replaced
	destroyed
)

// replaces tells whether a statement that changed a row leaves a sealed blob behind.
func replaces(q query) bool {
	verb, rest, _ := strings.Cut(string(q), " ")
	table, _, _ := strings.Cut(strings.TrimPrefix(rest, "FROM "), " ")
	return (verb == "DELETE" || verb == "UPDATE") &&
		(table == "secrets" || table == "secret_versions" || table == "owner_keys")
}

// destroy runs a statement that removes rows. When the caller is answered, nothing of them is in
// any file, unless a snapshot that somebody reads keeps the journal from being cut: then a sweep
// that is tried again takes them, once the snapshot has ended.
func (s *session) destroy(ctx context.Context, q query, args ...any) error {
	n, err := s.exec(ctx, q, args...)
	if n > 0 {
		s.remains = destroyed
	}
	return err
}

// A journal is the write-ahead log of a SQLite database, which its writer empties.
type journal struct {
	path  string
	tidy  int // frames when it was last emptied, or tried to be
	turns *turnstile
}

const (
	// so many pages are in the journal when it is emptied into the database
	journalFrames = 4000
	// so long the next ones wait: enough for reads that are short, which would starve a sweep that
	// never waits
	sweepGlance = 50 * time.Millisecond
	// so long the first sweep after one that succeeded waits for those who read, and everybody who
	// writes for it
	sweepWait = 500 * time.Millisecond
)

// frames returns how many pages are in the journal.
func frames(ctx context.Context, s *session, mode query) (n int, busy bool, err error) {
	var copied int
	err = s.row(ctx, "PRAGMA wal_checkpoint("+mode+")", nil, []any{&busy, &n, &copied})
	return n, busy, err
}

// empty copies the journal into the database when it is long, as SQLite would by itself, so that it
// begins anew.
func (j *journal) empty(ctx context.Context, s *session) error {
	n, _, err := frames(ctx, s, "NOOP")
	if err != nil || n >= j.tidy && n-j.tidy < journalFrames {
		return err
	}
	if n < j.tidy { // it has begun anew
		j.tidy = 0
		if n < journalFrames {
			return nil
		}
	}
	leave, err := j.turns.hold()
	if err != nil {
		return err
	}
	defer leave()
	if err := j.scrub(ctx, s); err != nil {
		return err
	}
	j.tidy, _, err = frames(ctx, s, "PASSIVE")
	return err
}

// sweep leaves nothing in the files that was destroyed or replaced. A reader that goes on for
// longer than wait keeps it from that: then it is false.
func (j *journal) sweep(
	ctx context.Context,
	s *session,
	wait time.Duration,
) (swept bool, err error) {
	leave, err := j.turns.hold()
	if err != nil {
		return false, err
	}
	defer leave()
	if err := j.scrub(ctx, s); err != nil {
		return false, err
	}
	if err := s.patience(ctx, wait); err != nil {
		return false, err
	}
	n, busy, err := frames(ctx, s, "TRUNCATE")
	j.tidy = 0
	if busy {
		j.tidy = max(n, 0) // it is unknown (-1) when somebody else was emptying the journal
	}
	return !busy, errors.Join(err, s.patience(ctx, busyTimeout))
}

// patience sets how long the connection waits for a lock. It is no prepared statement: the setting
// is made while it is read.
func (s *session) patience(ctx context.Context, d time.Duration) error {
	_, err := s.conn.ExecContext(
		context.WithoutCancel(ctx),
		"PRAGMA busy_timeout = "+strconv.FormatInt(d.Milliseconds(), 10),
	)
	return err
}

// scrub overwrites the gaps of the pages in the journal, in a transaction of its own.
func (j *journal) scrub(ctx context.Context, s *session) error {
	pages, err := j.unclean()
	if err != nil || len(pages) == 0 {
		return err
	}
	if err := s.run(ctx, s.dialect.beginWrite); err != nil {
		return err
	}
	for _, number := range pages {
		if err := s.scrubPage(ctx, number); err != nil {
			return errors.Join(err, s.run(ctx, "ROLLBACK"))
		}
	}
	if err := s.run(ctx, "COMMIT"); err != nil {
		return errors.Join(err, s.run(ctx, "ROLLBACK"))
	}
	return nil
}

// scrubPage overwrites the gap of a page as it is now, through SQLite's own cache of pages.
func (s *session) scrubPage(ctx context.Context, number uint32) error {
	var page []byte
	if err := s.row(
		ctx,
		"SELECT data FROM sqlite_dbpage WHERE pgno = $1",
		[]any{number},
		[]any{&page},
	); err != nil {
		return err
	}
	unused := gap(page)
	if !dirty(unused) {
		return nil
	}
	clear(unused)
	return s.run(ctx, "UPDATE sqlite_dbpage SET data = $1 WHERE pgno = $2", page, number)
}

// Offsets of the file formats: sqlite.org/fileformat2.html, sections 1.6 and 4.1.
const (
	walHeader   = 32
	frameHeader = 24
	// only such pages have blobs in rows. An overflow page has the number of the next one there: no
	// database is so large that it would be this
	tableLeaf     = 13
	tableLeafHead = 8
)

// unclean returns the numbers of the pages whose gaps the journal has dirty. A number too many does
// no harm: the page is looked at again.
func (j *journal) unclean() (numbers []uint32, err error) {
	f, err := os.Open(j.path)
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
		if number := binary.BigEndian.Uint32(frame); number > 1 && dirty(gap(frame[frameHeader:])) {
			numbers = append(numbers, number)
		}
	}
}

// ignoreEnd is for a journal that is empty, or that another process is cutting.
func ignoreEnd(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

// gap returns what is unused between the pointers and the rows of a page; nothing of a page that
// has no blobs in rows.
func gap(page []byte) []byte {
	if len(page) < tableLeafHead || page[0] != tableLeaf {
		return nil
	}
	from := tableLeafHead + 2*int(binary.BigEndian.Uint16(page[3:]))
	to := int(binary.BigEndian.Uint16(page[5:]))
	if to <= from || to > len(page) {
		return nil
	}
	return page[from:to]
}

func dirty(b []byte) bool { return bytes.Count(b, []byte{0}) < len(b) }

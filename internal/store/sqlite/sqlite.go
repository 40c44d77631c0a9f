// Package sqlite keeps the vault's data in a SQLite database: one file with its write-ahead log,
// many connections that read, and one that writes.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// maxReaders is how many reads run at once. SQLite works in the process: more would only compete
// for the cores.
const maxReaders = 8

// A DB is an open database that can be written. It implements [vault.Store] and is safe for
// concurrent use.
type DB struct {
	*pool
	*news

	writer   *writer
	close    func() error
	readOnly bool // since it was opened
	probing  atomic.Bool
}

var _ vault.Store = (*DB)(nil)

// Open opens the database in the file at path, creates it if there is none, and brings its schema
// up to date. The file and its log are readable by their owner only. One process serves a database;
// others use [OpenShared].
func Open(ctx context.Context, path string) (*DB, error) { return open(ctx, path, false) }

// OpenShared opens a database that a server may be serving. It shares the write lock with that
// server and never migrates: an older schema is an error.
func OpenShared(ctx context.Context, path string) (*DB, error) { return open(ctx, path, true) }

func open(ctx context.Context, path string, shared bool) (*DB, error) {
	path = filepath.Clean(path) // a second slash at its beginning would make the DSN name a host
	readOnly, err := ensurePrivate(path)
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	room := newRoom(path, shared)
	room.giveToStart()
	c, err := newConn(fileURL(path, nil), settings(writerCache))
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	if err := migrate(ctx, c, shared); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), c.close())
	}
	if err := c.db.GatherLog(); err != nil {
		err = fmt.Errorf("open database %s: %w", path, classify(err))
		return nil, errors.Join(err, c.close())
	}
	readers, err := newPool(maxReaders, func() (*conn, error) {
		return newConn(fileURL(path, nil), settings(readerCache))
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), c.close())
	}
	w := &writer{
		conn: c, lock: newWriteLock(path, shared), wal: newWAL(path, room), room: room,
		reads: readers.reads,
	}
	w.copier = newCopier(w.wal, func() (*conn, error) {
		return newConn(fileURL(path, nil), settings(copierCache))
	})
	c.news = newNews()
	d := &DB{pool: readers, news: c.news, writer: w.start(), readOnly: readOnly}
	d.close = sync.OnceValue(d.end)
	return d, nil
}

// ensurePrivate creates the file before SQLite does, because SQLite would let others read it; the
// log gets the same mode. A read-only database can be read. A server on one leaves a read-only log,
// which must not keep the database read-only after its mode was changed.
func ensurePrivate(path string) (readOnly bool, err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return true, nil // SQLite reports what it cannot do
	}
	if err != nil {
		return false, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return false, err
	}
	for _, file := range []string{path + "-wal", path + "-shm"} {
		err := os.Chmod(file, info.Mode().Perm())
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return false, err
		}
	}
	return false, nil
}

// Update implements [vault.Store]. Updates that wait are written together, in one commit. fn runs
// again if one of the others failed after it had written.
func (d *DB) Update(ctx context.Context, fn func(vault.Tx) error) error {
	return d.writer.do(ctx, func(c *conn) error { return fn(c.queries) })
}

// UpdateReserved implements [vault.Store]. On a full disk it uses the reserve, if need be after a
// first run of fn that was undone.
func (d *DB) UpdateReserved(ctx context.Context, fn func(vault.Tx) error) error {
	return d.writer.submit(&job{
		ctx: ctx, fn: func(c *conn) error { return fn(c.queries) }, reserved: true,
	})
}

// Load puts all rows of src into an empty database, in one transaction. Conflict: the database is
// not empty, or src has two rows with the same key.
func (d *DB) Load(ctx context.Context, src backup.Source) error {
	return d.writer.do(ctx, func(c *conn) error {
		c.Changed(uuid.Nil)
		return store.Load(ctx, c, src)
	})
}

// Stats returns how many updates were made durable since the start, and in how many commits.
func (d *DB) Stats() (updates, commits uint64) {
	return d.writer.updates.Load(), d.writer.commits.Load()
}

// Close waits for the transactions that have begun, and closes the database. Calls after it get
// Unavailable.
func (d *DB) Close() error { return d.close() }

func (d *DB) end() error {
	close(d.closed)
	d.writer.stop()
	if d.writer.lock.shared {
		d.settle()
	}
	return errors.Join(d.writer.copier.close(), d.writer.conn.close(), d.pool.end())
}

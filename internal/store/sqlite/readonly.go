package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	lib "modernc.org/sqlite/lib"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite/engine"
	"github.com/keysake/keysake/internal/vault"
)

// errReadOnly is the error of every update of a database that is open for reading alone.
var errReadOnly = &vault.Error{
	Kind: vault.Unavailable, Detail: "The server is read-only: nothing can be changed",
}

// OpenForReading opens a database that cannot be written, on a read-only file system for instance.
// Updates get Unavailable. It creates nothing and never migrates: another schema than this
// program's is an error. No other process may write the database.
func OpenForReading(ctx context.Context, path string) (*DB, error) {
	path = filepath.Clean(path)
	p, err := openReaders(ctx, path, maxReaders)
	if err != nil {
		return nil, err
	}
	none := &writer{stopped: true, refusal: errReadOnly, room: newRoom(path, true)}
	d := &DB{pool: p, news: newNews(), writer: none, readOnly: true}
	d.close = sync.OnceValue(func() error {
		close(p.closed)
		return p.end()
	})
	if err := p.currentSchema(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), d.Close())
	}
	return d, nil
}

// ReadOnly reports whether the database could not be written when it was opened.
func (d *DB) ReadOnly() bool { return d.readOnly }

// currentSchema checks that the database has the schema of this program.
func (p *pool) currentSchema(ctx context.Context) error {
	newest, err := store.SchemaVersion()
	if err != nil {
		return err
	}
	return p.view(ctx, func(c *conn) error {
		found, err := readSchema(ctx, c)
		if err != nil {
			return err
		}
		if found.version != newest {
			return fmt.Errorf("its schema has version %d, this program's has %d, and it cannot be "+
				"written: start this program once where it can", max(found.version, 0), newest)
		}
		return found.check()
	})
}

// openReaders opens connections that only read. Where SQLite cannot create the files of a log and
// there is no log to read, they take the database for immutable.
func openReaders(ctx context.Context, path string, size int) (*pool, error) {
	p, err := newReaders(path, false, size)
	if err != nil {
		return nil, err
	}
	failed, ok := errors.AsType[*engine.Error](p.probe(ctx))
	if !ok || failed.Primary() != lib.SQLITE_CANTOPEN {
		return p, nil // whatever else is wrong, its user is told
	}
	if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
		return p, nil
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	return newReaders(path, true, size)
}

func newReaders(path string, immutable bool, size int) (*pool, error) {
	p, err := newPool(size, func() (*conn, error) {
		return newConn(readOnlyURL(path, immutable), readOnlySettings())
	})
	if err != nil {
		return nil, fmt.Errorf("open database %s: %w", path, err)
	}
	return p, nil
}

// probe reads something.
func (p *pool) probe(ctx context.Context) error {
	return p.do(ctx, func(c *conn) error {
		c.txError = nil
		err := c.Query(ctx, "SELECT 1 FROM sqlite_schema", func(store.Row) error { return nil })
		c.txError = nil
		return err
	})
}

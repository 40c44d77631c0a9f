package sqlite

import (
	"context"
	"fmt"
	"sync"

	"github.com/keysake/keysake/internal/store"
)

// A ReadOnly is a database that is open for inspection.
type ReadOnly struct {
	*pool

	close func() error
}

// OpenReadOnly opens the database in the file at path, which a server may be serving. It creates
// nothing, changes nothing, and accepts any schema.
func OpenReadOnly(ctx context.Context, path string) (*ReadOnly, error) {
	p, err := openReaders(ctx, path, 2)
	if err != nil {
		return nil, err
	}
	return &ReadOnly{p, sync.OnceValue(func() error {
		close(p.closed)
		return p.end()
	})}, nil
}

// Close waits for the reads that have begun, and closes the database.
func (r *ReadOnly) Close() error { return r.close() }

// Schema returns the version of the database's schema.
func (r *ReadOnly) Schema(ctx context.Context) (version int64, err error) {
	const newest = "SELECT MAX(version_id) FROM " + migrationsTable + " WHERE is_applied = 1"
	err = r.view(ctx, func(c *conn) error {
		return c.Query(ctx, newest, func(r store.Row) error { version = r.Int(0); return nil })
	})
	return version, err
}

// CheckSchema compares the schema with what the migrations make. A [*SchemaError] says where it
// differs.
func (r *ReadOnly) CheckSchema(ctx context.Context) error {
	return r.view(ctx, func(c *conn) error {
		s, err := readSchema(ctx, c)
		if err != nil {
			return err
		}
		return s.check()
	})
}

// maxProblems bounds what Integrity returns of each kind.
const maxProblems = 10

// Integrity runs SQLite's own checks over the whole database, and returns the problems they find.
func (r *ReadOnly) Integrity(ctx context.Context) (problems []string, err error) {
	err = r.view(ctx, func(c *conn) error {
		check := fmt.Sprintf("PRAGMA integrity_check(%d)", maxProblems)
		err := c.Query(ctx, check, func(row store.Row) error {
			if found := row.Text(0); found != "ok" {
				problems = append(problems, found)
			}
			return nil
		})
		if err != nil {
			return err
		}
		n := 0
		return c.Query(ctx, "PRAGMA foreign_key_check", func(row store.Row) error {
			if n++; n <= maxProblems {
				problems = append(problems, fmt.Sprintf(
					"a row of %s refers to a row of %s that does not exist",
					row.Text(0), row.Text(2)))
			}
			return nil
		})
	})
	return problems, err
}

package store

import (
	"context"
	"database/sql"

	"github.com/keysake/keysake/internal/vault"
)

// MaxBatch is how many updates one commit has at most.
const MaxBatch = maxBatch

// Readers is how many views go on at once.
const Readers = sqliteReaders

// EachConn calls fn for every connection of an idle store, the writer's last.
func (d *DB) EachConn(fn func(*sql.Conn) error) error {
	var idle []*session
	defer func() {
		for _, s := range idle {
			d.readers <- s
		}
	}()
	for range cap(d.readers) {
		s := <-d.readers
		idle = append(idle, s)
		if err := fn(s.conn); err != nil {
			return err
		}
	}
	return fn(d.writer.session.conn)
}

// OnWriter executes a statement on the writer's connection, outside of any update.
func (d *DB) OnWriter(ctx context.Context, q string) error {
	_, err := d.writer.session.conn.ExecContext(ctx, q)
	return err
}

// InUpdate executes a statement in the transaction of an update.
func InUpdate(ctx context.Context, tx vault.Tx, q string) error {
	_, err := tx.(*session).conn.ExecContext(
		ctx,
		q,
	) //nolint:forcetypeassert // every Tx here is one
	return err
}

// Waiting returns how many updates wait behind the one that runs.
func (d *DB) Waiting() int { return len(d.writer.jobs) }

// Sweeps returns how often the files were swept since the start, or that was tried, and how many of
// the tries would wait long for those who read.
func (d *DB) Sweeps() (tries, patient uint64) {
	return d.writer.sweeps.Load(), d.writer.waits.Load()
}

package sqlite

import (
	"context"
	"database/sql"
)

// MaxBatch is how many updates one commit has at most.
const MaxBatch = maxBatch

// MaxReaders is how many reads run at once.
const MaxReaders = maxReaders

// EachConn calls fn for every connection of an idle database, the writer's last.
func (d *DB) EachConn(fn func(*sql.Conn) error) error {
	var idle []*conn
	defer func() {
		for _, c := range idle {
			d.put(c)
		}
	}()
	for range cap(d.turns) {
		<-d.turns
		c := d.take()
		idle = append(idle, c)
		if err := fn(c.sql); err != nil {
			return err
		}
	}
	return fn(d.writer.conn.sql)
}

// OnWriter executes a statement on the writer's connection. Outside of an update the writer must be
// idle; inside, it is in the update's transaction.
func (d *DB) OnWriter(ctx context.Context, q string) error {
	_, err := d.writer.conn.sql.ExecContext(ctx, q)
	return err
}

// Queued returns how many updates wait behind the one that runs.
func (d *DB) Queued() int { return len(d.writer.jobs) }

// Purges returns how often a purge was tried since the start, and how many of the tries wait long
// for readers.
func (d *DB) Purges() (tries, waiting uint64) {
	return d.writer.purges.Load(), d.writer.waitingPurges.Load()
}

package sqlite

import (
	"context"
	"errors"
	"strconv"

	"github.com/keysake/keysake/internal/store"
)

// MaxBatch is how many updates one commit has at most.
const MaxBatch = maxBatch

// MaxReaders is how many reads run at once.
const MaxReaders = maxReaders

// Settings returns what each connection of an idle database answers to a PRAGMA, the writer's last.
func (d *DB) Settings(ctx context.Context, pragma string) (found []string, err error) {
	var idle []*conn
	defer func() {
		for _, c := range idle {
			d.put(c)
		}
	}()
	for range cap(d.turns) {
		<-d.turns
		idle = append(idle, d.take())
	}
	ask := func(c *conn) error {
		return c.Query(ctx, "PRAGMA "+pragma, func(r store.Row) error {
			text := r.Text(0)
			if text == "" {
				text = strconv.FormatInt(r.Int(0), 10)
			}
			found = append(found, text)
			return nil
		})
	}
	for _, c := range idle {
		if err := ask(c); err != nil {
			return nil, err
		}
	}
	err = d.writer.do(ctx, ask)
	return found, err
}

// OnWriter executes a statement on the writer's connection, in the transaction of the update that
// calls it.
func (d *DB) OnWriter(_ context.Context, q string) error { return d.writer.conn.db.Run(q) }

// OnIdleWriter executes a statement on the writer's connection, between transactions.
func (d *DB) OnIdleWriter(q string) error {
	d.writer.turn.Lock()
	defer d.writer.turn.Unlock()
	return d.writer.conn.db.Run(q)
}

// Kept returns how many bytes the connections keep of the database: those that read and are
// idle, and the writer.
func (d *DB) Kept() (readers, writer int) {
	d.mu.Lock()
	for _, c := range d.idle {
		readers += c.db.Kept()
	}
	d.mu.Unlock()
	d.writer.turn.Lock()
	defer d.writer.turn.Unlock()
	return readers, d.writer.conn.db.Kept()
}

// Queued returns how many updates wait behind the one that runs.
func (d *DB) Queued() int { return len(d.writer.jobs) }

// Purges returns how often a purge was tried since the start, and how many of the tries wait long
// for readers.
func (d *DB) Purges() (tries, waiting uint64) {
	return d.writer.purges.Load(), d.writer.waitingPurges.Load()
}

// CopyBeside copies the log into the database as the writer has it done beside itself, and calls
// between after the gaps were overwritten. No step must be running. It returns how many of the
// pages that were written by between have data in their gap.
func (d *DB) CopyBeside(ctx context.Context, between func()) (gaps int, err error) {
	w := d.writer
	w.turn.Lock()
	err = w.copier.pin(ctx, w.conn, w.lock)
	w.copier.running = err == nil
	w.turn.Unlock()
	if err != nil {
		return 0, err
	}
	defer func() {
		w.copier.done <- err
		w.copier.ended()
	}()
	between()
	frames, _, err := w.wal.length(ctx, w.copier.conn)
	if err == nil {
		err = w.wal.look(frames)
	}
	return len(w.wal.gaps), errors.Join(err, w.copier.copy(ctx))
}

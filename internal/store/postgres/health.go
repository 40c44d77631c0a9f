package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/vault"
)

// healthHolds is how long what was found out about the database holds, however many ask.
const healthHolds = 2 * time.Second

// A health is what was found out last.
type health struct {
	mu    sync.Mutex
	at    time.Time
	fault string
}

// WriteFault returns why updates fail, in words for anyone who asks; it is empty if they succeed.
// It begins a transaction that would write, at most once in two seconds.
func (d *DB) WriteFault(ctx context.Context) string {
	d.health.mu.Lock()
	defer d.health.mu.Unlock()
	if time.Since(d.health.at) < healthHolds {
		return d.health.fault
	}
	err := d.update(ctx, updating(), func(c *conn) error {
		// Only a database that can be written has one.
		const number = "SELECT pg_current_xact_id()::text"
		return c.Query(ctx, number, func(store.Row) error { return nil })
	})
	d.health.at, d.health.fault = time.Now(), words(err)
	return d.health.fault
}

// words returns the words of an error that are for everyone.
func words(err error) string {
	if err == nil {
		return ""
	}
	if known, ok := errors.AsType[*vault.Error](err); ok {
		return known.Detail
	}
	return "The database cannot be written"
}

// ReadOnly reports false: a database that cannot be written may be written soon, by a failover.
func (d *DB) ReadOnly() bool { return false }

// Space is unknown: the disk is another machine's.
func (d *DB) Space() (free, floor uint64) { return 0, 0 }

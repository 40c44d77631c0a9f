package postgres

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keysake/keysake/internal/vault"
)

// A timeline tells a primary from one that was before it. Each promotion begins another one, of a
// higher number. A primary that was stopped or cut off, and goes on, does not know that there is
// another: what it says is old.
type timeline struct {
	newest atomic.Int64
	// pool is closed and filled anew when a newer one was seen: its connections may be to the old
	// primary.
	pool atomic.Pointer[pgxpool.Pool]
	// none is whether the database has no timelines, as one that keeps no such log itself.
	none atomic.Bool
}

// sql returns an expression for the timeline that a primary writes on, in hexadecimal digits. It is
// NULL for a standby.
func (t *timeline) sql() string {
	if t.none.Load() {
		return "CASE WHEN NOT pg_is_in_recovery() THEN '0' END"
	}
	return "CASE WHEN NOT pg_is_in_recovery() " +
		"THEN left(pg_walfile_name(pg_current_wal_lsn()), 8) END"
}

var errOldPrimary = errors.New("the server was a primary before the one that is now: " +
	"if it leads the cluster again, start Keysake again")

// validate returns a function that accepts a new connection if next does, and it is not one to an
// old primary.
func (t *timeline) validate(next pgconn.ValidateConnectFunc) pgconn.ValidateConnectFunc {
	return func(ctx context.Context, c *pgconn.PgConn) error {
		if next != nil {
			if err := next(ctx, c); err != nil {
				return err
			}
		}
		results, err := c.Exec(ctx, "SELECT "+t.sql()).ReadAll()
		if err != nil {
			_, refused := errors.AsType[*pgconn.PgError](err)
			if !refused || vault.KindOf(classify(err)) == vault.Unavailable {
				return err
			}
			t.none.Store(true)
			return nil
		}
		return t.see(string(results[0].Rows[0][0]))
	}
}

// see notes a timeline, and returns an error if a newer one was seen.
func (t *timeline) see(digits string) error {
	number, err := strconv.ParseInt(digits, 16, 64)
	if err != nil || t.none.Load() {
		return nil //nolint:nilerr // a standby has none of its own, and some engines have none
	}
	for {
		newest := t.newest.Load()
		switch {
		case number < newest:
			return errOldPrimary
		case number == newest:
			return nil
		}
		if t.newest.CompareAndSwap(newest, number) {
			if pool := t.pool.Load(); newest > 0 && pool != nil {
				pool.Reset()
			}
			return nil
		}
	}
}

package store

import (
	"context"

	"github.com/keysake/keysake/internal/vault"
)

// exec runs a statement that may change no row.
func (q *Queries) exec(ctx context.Context, sql string, args ...any) error {
	_, err := q.conn.Exec(ctx, sql, args...)
	return err
}

// execOne runs a statement that must change a row. NotFound: it changed none.
func (q *Queries) execOne(ctx context.Context, sql string, args ...any) error {
	n, err := q.conn.Exec(ctx, sql, args...)
	return atLeastOne(n, err)
}

// erase is exec for a statement that deletes or replaces sealed data.
func (q *Queries) erase(ctx context.Context, when Erasure, sql string, args ...any) error {
	_, err := q.conn.Erase(ctx, when, sql, args...)
	return err
}

// eraseOne is execOne for a statement that deletes or replaces sealed data.
func (q *Queries) eraseOne(ctx context.Context, when Erasure, sql string, args ...any) error {
	n, err := q.conn.Erase(ctx, when, sql, args...)
	return atLeastOne(n, err)
}

func atLeastOne(n int64, err error) error {
	if err == nil && n == 0 {
		return vault.ErrNotFound
	}
	return err
}

// count returns the number that a query counts.
func (q *Queries) count(ctx context.Context, sql string, args ...any) (n int, err error) {
	err = queryRow(ctx, q.conn, sql, func(r Row) error {
		n = int(r.Int(0))
		return nil
	}, args...)
	return n, err
}

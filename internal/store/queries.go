package store

import "context"

// exec runs a statement that may change no row.
func (q *Queries) exec(ctx context.Context, sql string, args ...any) error {
	return q.conn.Exec(ctx, 0, sql, args...)
}

// execOne runs a statement that must change a row. NotFound: it changed none.
func (q *Queries) execOne(ctx context.Context, sql string, args ...any) error {
	return q.conn.Exec(ctx, 1, sql, args...)
}

// erase is exec for a statement that deletes or replaces sealed data.
func (q *Queries) erase(ctx context.Context, when Erasure, sql string, args ...any) error {
	return q.conn.Erase(ctx, when, 0, sql, args...)
}

// eraseOne is execOne for a statement that deletes or replaces sealed data.
func (q *Queries) eraseOne(ctx context.Context, when Erasure, sql string, args ...any) error {
	return q.conn.Erase(ctx, when, 1, sql, args...)
}

// count returns the number that a query counts.
func (q *Queries) count(ctx context.Context, sql string, args ...any) (n int, err error) {
	err = queryRow(ctx, q.conn, sql, func(r Row) error {
		n = int(r.Int(0))
		return nil
	}, args...)
	return n, err
}

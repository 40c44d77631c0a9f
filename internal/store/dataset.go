package store

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/keysake/keysake/internal/backup"
)

// A dataset is a [table] for those who know no type of its rows.
type dataset interface {
	describe() backup.Table
	count(ctx context.Context, c Conn) (int64, error)
	// all returns the rows in the order of their key.
	all(ctx context.Context, c Conn) iter.Seq2[backup.Row, error]
	// check reads rows without storing them. The error for one that the table cannot hold is a
	// [*DamagedError].
	check(rows iter.Seq2[backup.Row, error]) error
	// load stores rows. The error for one that the table cannot hold is a [*DamagedError].
	load(ctx context.Context, c Conn, rows iter.Seq2[backup.Row, error]) error
}

// datasets lists every table of the schema, each after those that it refers to.
func datasets() []dataset {
	return []dataset{
		rootKeys, instanceKeys, instances, users, ownerKeys, apiKeys, apiKeyUses, secrets,
		versions, leases, secretUses, usageDays, healths, brokerUses, brokerRequests, auditEntries,
		doneRequests, deviceLogins, webhookEvents, secretNotices,
	}
}

// values is a row of a backup, read as one of a database.
type values backup.Row

func (v values) IsNull(column int) bool  { return v[column] == nil }
func (v values) Text(column int) string  { s, _ := v[column].(string); return s }
func (v values) Int(column int) int64    { n, _ := v[column].(int64); return n }
func (v values) Bytes(column int) []byte { b, _ := v[column].([]byte); return b }

// value is the reverse: a value of a database's row as a backup has it.
func value(r Row, column int, kind backup.Kind) any {
	switch {
	case r.IsNull(column):
		return nil
	case kind == backup.Text:
		return r.Text(column)
	case kind == backup.Integer:
		return r.Int(column)
	}
	if b := r.Bytes(column); b != nil {
		return b
	}
	return []byte{} // a driver may bind a nil slice as NULL
}

func (t *table[T]) count(ctx context.Context, c Conn) (n int64, err error) {
	err = queryRow(ctx, c, "SELECT COUNT(*) FROM "+t.name, func(r Row) error {
		n = r.Int(0)
		return nil
	})
	return n, err
}

// pageRows is how many rows are read at once: with the largest values some megabytes.
const pageRows = 200

// all reads page by page: a connection is not busy between rows, and no cursor stays open.
func (t *table[T]) all(ctx context.Context, c Conn) iter.Seq2[backup.Row, error] {
	return func(yield func(backup.Row, error) bool) {
		var page []backup.Row
		for first := true; first || len(page) == pageRows; first = false {
			var after []any
			if !first {
				after = page[len(page)-1][:t.key]
			}
			var err error
			if page, err = t.page(ctx, c, after); err != nil {
				yield(nil, err)
				return
			}
			for _, row := range page {
				if !yield(row, nil) {
					return
				}
			}
		}
	}
}

// page returns the rows that come after a key; the first ones if there is none.
func (t *table[T]) page(ctx context.Context, c Conn, after []any) (page []backup.Row, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	names := make([]string, t.key)
	for i := range names {
		names[i] = t.columns[i].name
	}
	key, where := strings.Join(names, ", "), ""
	if len(after) > 0 {
		where = fmt.Sprintf("WHERE (%s) > (%s) ", key, placeholders(len(after)))
	}
	q := fmt.Sprintf("%s%sORDER BY %s LIMIT %d", t.selectSQL, where, key, pageRows)
	err = c.Query(ctx, q, func(r Row) error {
		row := make(backup.Row, len(t.columns))
		for i, column := range t.columns {
			row[i] = value(r, i, column.kind)
		}
		page = append(page, row)
		return nil
	}, after...)
	return page, err
}

func (t *table[T]) check(rows iter.Seq2[backup.Row, error]) error {
	for _, err := range decode(t, rows) {
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *table[T]) load(
	ctx context.Context, c Conn, rows iter.Seq2[backup.Row, error],
) error {
	n := int64(0)
	for row, err := range rows {
		if err != nil {
			return err
		}
		n++
		if _, err := t.decodeRow(row, n); err != nil {
			return err
		}
		if err := c.Exec(ctx, 0, t.insertSQL, row...); err != nil {
			return fmt.Errorf("load row %d of %s: %w", n, t.name, err)
		}
	}
	return nil
}

// decodeRow returns the nth row of a source.
func (t *table[T]) decodeRow(row backup.Row, n int64) (T, error) {
	v, err := t.scan(values(row))
	if damaged, ok := err.(*DamagedError); ok { //nolint:errorlint // scan wraps nothing
		damaged.Row = n
	}
	return v, err
}

// decode returns the rows with their type. After a [*DamagedError] it goes on.
func decode[T any](t *table[T], rows iter.Seq2[backup.Row, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		n := int64(0)
		for row, err := range rows {
			var v T
			if n++; err == nil {
				v, err = t.decodeRow(row, n)
			}
			if !yield(v, err) {
				return
			}
		}
	}
}

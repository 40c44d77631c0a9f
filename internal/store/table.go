package store

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/keysake/keysake/internal/backup"
)

// pageRows is how many rows are read at once: with the largest values some megabytes.
const pageRows = 200

// A table is how the rows of a backup are kept here.
type table[T any] struct {
	name    string
	columns []string
	key     int // so many of the columns, which come first, are the order of [backup.Source]
	into    func(*T) []any
	values  func(T) []any
}

// all returns the rows in order. It reads page by page, so that no cursor stays open between rows:
// not every database has more than one on a connection.
func (t table[T]) all(ctx context.Context, s *Queries) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var page []T
		for first := true; first || len(page) == pageRows; first = false {
			var after []any
			if !first {
				after = t.values(page[len(page)-1])[:t.key]
			}
			var err error
			if page, err = t.page(ctx, s, after); err != nil {
				var none T
				yield(none, err)
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
func (t table[T]) page(ctx context.Context, s *Queries, after []any) (page []T, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	key, where := strings.Join(t.columns[:t.key], ", "), ""
	if len(after) > 0 {
		where = " WHERE (" + key + ") > (" + numbered(len(after)) + ")"
	}
	q := fmt.Sprintf(
		"SELECT %s FROM %s%s ORDER BY %s LIMIT %d",
		strings.Join(t.columns, ", "),
		t.name,
		where,
		key,
		pageRows,
	)
	err = s.each(ctx, query(q), func(row scanner) error {
		var r T
		err := row.Scan(t.into(&r)...)
		page = append(page, r)
		return err
	}, after...)
	return page, err
}

// load inserts the rows.
func (t table[T]) load(ctx context.Context, s *Queries, rows iter.Seq2[T, error]) error {
	q := query(
		fmt.Sprintf(
			"INSERT INTO %s (%s) VALUES (%s)",
			t.name,
			strings.Join(t.columns, ", "),
			numbered(len(t.columns)),
		),
	)
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := s.run(ctx, q, t.values(row)...); err != nil {
			return fmt.Errorf("load a row of %s: %w", t.name, err)
		}
	}
	return nil
}

func (t table[T]) count(ctx context.Context, s *Queries) (n int64, err error) {
	err = s.row(ctx, query("SELECT COUNT(*) FROM "+t.name), nil, []any{&n})
	return n, err
}

// numbered returns $1, …, $n.
func numbered(n int) string {
	marks := make([]string, n)
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	return strings.Join(marks, ", ")
}

// A digest scans 32 bytes.
type digest struct{ d *backup.Digest }

// Scan implements [sql.Scanner].
func (d digest) Scan(from any) error {
	b, ok := from.([]byte)
	if !ok || len(b) != len(d.d) {
		return fmt.Errorf("a hash does not have %d bytes", len(d.d))
	}
	copy(d.d[:], b)
	return nil
}

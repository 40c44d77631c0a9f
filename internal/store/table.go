package store

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/vault"
)

// A table describes a table of the schema whose rows are Ts. Queries, backups, restoring and doctor
// derive from it. The first key columns are unique and order its rows in a backup.
type table[T any] struct {
	name      string
	key       int
	columns   []column[T]
	selectSQL string // all columns of all rows; a condition may follow
	insertSQL string
}

func newTable[T any](name string, key int, columns ...column[T]) *table[T] {
	list := make([]string, len(columns))
	for i, c := range columns {
		list[i] = c.name
	}
	names := strings.Join(list, ", ")
	return &table[T]{
		name:      name,
		key:       key,
		columns:   columns,
		selectSQL: "SELECT " + names + " FROM " + name + " ",
		insertSQL: fmt.Sprintf(
			"INSERT INTO %s (%s) VALUES (%s)", name, names, placeholders(len(columns)),
		),
	}
}

// placeholders returns $1, …, $n.
func placeholders(n int) string { return placeholdersFrom(1, n) }

// placeholdersFrom returns n placeholders from that number on.
func placeholdersFrom(first, n int) string {
	var marks []byte
	for i := range n {
		marks = strconv.AppendInt(append(marks, ", $"...), int64(first+i), 10)
	}
	return strings.TrimPrefix(string(marks), ", ")
}

// without returns the table without a column, for queries that do not read it.
func (t *table[T]) without(name string) *table[T] {
	rest := slices.DeleteFunc(slices.Clone(t.columns), func(c column[T]) bool {
		return c.name == name
	})
	return newTable(t.name, t.key, rest...)
}

// with returns the table with a column that is computed, for queries: its name is an expression.
func (t *table[T]) with(computed column[T]) *table[T] {
	return newTable(t.name, t.key, append(slices.Clone(t.columns), computed)...)
}

// describe returns the table as a backup has it, without the number of its rows.
func (t *table[T]) describe() backup.Table {
	d := backup.Table{Name: t.name, Key: t.key}
	for _, c := range t.columns {
		d.Columns = append(d.Columns, backup.Column{Name: c.name, Kind: c.kind})
	}
	return d
}

// insert stores a row.
func (t *table[T]) insert(ctx context.Context, c Conn, v *T) error {
	return t.execFor(ctx, c, t.insertSQL, v)
}

// insertAll stores rows with a statement each, to which end is added.
func (t *table[T]) insertAll(ctx context.Context, c Conn, rows []T, end ...string) error {
	sql := t.insertSQL + strings.Join(end, "")
	for i := range rows {
		if err := t.execFor(ctx, c, sql, &rows[i]); err != nil {
			return err
		}
	}
	return nil
}

// execFor runs a statement whose arguments are the columns of a row.
func (t *table[T]) execFor(ctx context.Context, c Conn, sql string, v *T) error {
	args := make([]any, len(t.columns))
	for i, column := range t.columns {
		args[i] = column.bind(v)
		if err, bad := args[i].(error); bad {
			return fmt.Errorf("%s.%s cannot be written: %w", t.name, column.name, err)
		}
	}
	return c.Exec(ctx, 0, sql, args...)
}

// each calls fn for every row that a condition selects. The condition may order and limit.
func (t *table[T]) each(
	ctx context.Context, c Conn, fn func(T) error, condition string, args ...any,
) error {
	return c.Query(ctx, t.selectSQL+condition, func(r Row) error {
		v, err := t.scan(r)
		if err != nil {
			return err
		}
		return fn(v)
	}, args...)
}

// list returns the rows that a condition selects.
func (t *table[T]) list(
	ctx context.Context, c Conn, condition string, args ...any,
) (found []T, err error) {
	err = t.each(ctx, c, func(v T) error {
		found = append(found, v)
		return nil
	}, condition, args...)
	return found, err
}

// readable is list without rows that are damaged, and how many those are.
func (t *table[T]) readable(
	ctx context.Context, c Conn, condition string, args ...any,
) (found []T, damaged int, err error) {
	err = c.Query(ctx, t.selectSQL+condition, func(r Row) error {
		if v, err := t.scan(r); err == nil {
			found = append(found, v)
			return nil
		}
		damaged++
		return nil
	}, args...)
	return found, damaged, err
}

// get returns the row that a condition selects. NotFound: there is none.
func (t *table[T]) get(
	ctx context.Context, c Conn, condition string, args ...any,
) (found T, err error) {
	err = queryRow(ctx, c, t.selectSQL+condition, func(r Row) (err error) {
		found, err = t.scan(r)
		return err
	}, args...)
	return found, err
}

// scan returns the row, of which r has the columns. The error is a [*DamagedError].
func (t *table[T]) scan(r Row) (v T, err error) {
	for i, c := range t.columns {
		if err := c.scan(&v, r, i); err != nil {
			return v, &DamagedError{Table: t.name, Column: c.name, Cause: err}
		}
	}
	return v, nil
}

// A DamagedError is a row with a value that Keysake never writes. It shows nothing of the value.
type DamagedError struct {
	Table  string
	Row    int64 // which row, from 1 in the order of the key; 0 where it is not known
	Column string
	Cause  error
}

func (e *DamagedError) Error() string {
	row := "a row"
	if e.Row > 0 {
		row = fmt.Sprintf("row %d", e.Row)
	}
	return fmt.Sprintf("%s of %s is damaged: %s: %v", row, e.Table, e.Column, e.Cause)
}

func (e *DamagedError) Unwrap() error { return e.Cause }

// spareRows is how many more rows are asked for than are wanted: so many damaged ones keep nothing
// from being found.
const spareRows = 200

// queryRow calls scan for the one row of a query. NotFound: there is none.
func queryRow(
	ctx context.Context, c Conn, sql string, scan func(Row) error, args ...any,
) error {
	found := false
	err := c.Query(ctx, sql, func(r Row) error {
		found = true
		return scan(r)
	}, args...)
	if err == nil && !found {
		return vault.ErrNotFound
	}
	return err
}

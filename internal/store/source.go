package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/vault"
)

// NewSource returns all rows, in the transaction that the connection is in, as a backup's source.
func NewSource(c Conn) backup.Source { return connSource{c} }

type connSource struct{ conn Conn }

// Tables implements [backup.Source].
func (s connSource) Tables(ctx context.Context) (tables []backup.Table, err error) {
	for _, d := range datasets() {
		t := d.describe()
		if t.Rows, err = d.count(ctx, s.conn); err != nil {
			return nil, err
		}
		tables = append(tables, t)
	}
	return tables, nil
}

// Rows implements [backup.Source].
func (s connSource) Rows(ctx context.Context, table string) iter.Seq2[backup.Row, error] {
	for _, d := range datasets() {
		if d.describe().Name == table {
			return d.all(ctx, s.conn)
		}
	}
	return func(yield func(backup.Row, error) bool) { yield(nil, noTable(table)) }
}

func noTable(name string) error {
	return fmt.Errorf("the schema of this version describes the table %s differently", name)
}

// Check reads all of src, and returns an error if it has other tables than this version's schema. A
// row that its table cannot hold is a [*DamagedError].
func Check(ctx context.Context, src backup.Source) error {
	if err := checkTables(ctx, src); err != nil {
		return err
	}
	for _, d := range datasets() {
		if err := d.check(src.Rows(ctx, d.describe().Name)); err != nil {
			return err
		}
	}
	return nil
}

func checkTables(ctx context.Context, src backup.Source) error {
	tables, err := src.Tables(ctx)
	if err == nil && len(tables) != len(datasets()) {
		err = errors.New("the schema of this version has another number of tables")
	}
	for _, d := range datasets() {
		if t := d.describe(); err == nil && !hasTable(tables, t) {
			err = noTable(t.Name)
		}
	}
	return err
}

// Load puts all rows of src into an empty database, in the transaction that the connection is in.
// Conflict: the database is not empty, or src has two rows that cannot both be in it. The other
// errors are those of [Check].
func Load(ctx context.Context, c Conn, src backup.Source) error {
	if err := checkTables(ctx, src); err != nil {
		return err
	}
	loaded := connSource{c}
	before, err := loaded.Tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range before {
		if t.Rows > 0 {
			return &vault.Error{Kind: vault.Conflict, Detail: "The database is not empty"}
		}
	}
	for _, d := range datasets() {
		if err := d.load(ctx, c, src.Rows(ctx, d.describe().Name)); err != nil {
			return err
		}
	}
	return checkCounts(ctx, loaded, src)
}

// hasTable reports whether a table is described in the same way, whatever rows it has.
func hasTable(tables []backup.Table, t backup.Table) bool {
	return slices.ContainsFunc(tables, func(other backup.Table) bool {
		return other.Name == t.Name && other.Key == t.Key && slices.Equal(other.Columns, t.Columns)
	})
}

// checkCounts returns an error if not every row was loaded.
func checkCounts(ctx context.Context, loaded, src backup.Source) error {
	want, err := src.Tables(ctx)
	if err != nil {
		return err
	}
	got, err := loaded.Tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range want {
		if !slices.ContainsFunc(got, func(g backup.Table) bool {
			return g.Name == t.Name && g.Rows == t.Rows
		}) {
			return fmt.Errorf("not every row of %s was loaded", t.Name)
		}
	}
	return nil
}

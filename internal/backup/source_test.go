package backup_test

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keysake/keysake/internal/backup"
)

// memory is a source in memory.
type memory struct {
	tables []backup.Table
	rows   map[string][]backup.Row
}

// newMemory counts the rows of its tables.
func newMemory(tables []backup.Table, rows map[string][]backup.Row) *memory {
	for i, t := range tables {
		tables[i].Rows = int64(len(rows[t.Name]))
	}
	return &memory{tables, rows}
}

func (m *memory) Tables(context.Context) ([]backup.Table, error) { return m.tables, nil }

func (m *memory) Rows(_ context.Context, table string) iter.Seq2[backup.Row, error] {
	return func(yield func(backup.Row, error) bool) {
		for _, r := range m.rows[table] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// read returns everything that a source has.
func read(tb testing.TB, src backup.Source) *memory {
	tb.Helper()
	tables, err := src.Tables(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	m := &memory{tables, map[string][]backup.Row{}}
	for _, t := range tables {
		for r, err := range src.Rows(tb.Context(), t.Name) {
			if err != nil {
				tb.Fatal(err)
			}
			m.rows[t.Name] = append(m.rows[t.Name], r)
		}
	}
	return m
}

// described is what a manifest says beyond its tables.
var described = backup.Manifest{
	Schema: 1, CreatedAt: time.Unix(1_700_000_000, 0), Audit: &backup.AuditEnd{
		Chain: "0190d1f4-0000-7000-8000-000000000001", Number: 7, Hash: backup.Digest{1, 2},
		Checkpoint: "keysake checkpoint v1\n\n— keysake\n",
	},
}

// write returns the bytes of a backup.
func write(tb testing.TB, src backup.Source) []byte {
	tb.Helper()
	var b bytes.Buffer
	_, _, err := backup.Write(tb.Context(), &b, src, described)
	if err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func open(ctx context.Context, b []byte) (*backup.File, error) {
	return backup.Open(ctx, bytes.NewReader(b), int64(len(b)))
}

// sample has tables with every kind of column, in and out of the key.
func sample() *memory {
	return newMemory([]backup.Table{
		{Name: "people", Key: 1, Columns: []backup.Column{
			{Name: "id", Kind: backup.Text},
			{Name: "name", Kind: backup.Text},
			{Name: "photo", Kind: backup.Blob},
			{Name: "born", Kind: backup.Integer},
		}},
		{Name: "none", Key: 1, Columns: []backup.Column{{Name: "id", Kind: backup.Text}}},
		{Name: "letters", Key: 3, Columns: []backup.Column{
			{Name: "to", Kind: backup.Text},
			{Name: "number", Kind: backup.Integer},
			{Name: "stamp", Kind: backup.Blob},
			{Name: "body", Kind: backup.Blob},
		}},
	}, map[string][]backup.Row{
		"people": {
			{"", "", nil, nil},
			{"p1", "mia", []byte{}, int64(-1)},
			{"p2", "Noah \u2028 \"N\"", []byte{0, 255}, int64(1<<63 - 1)},
		},
		"letters": {
			{"p1", int64(-2), []byte{1}, []byte("sealed")},
			{"p1", int64(10), []byte{1}, bytes.Repeat([]byte{7}, 90_000)},
			{"p1", int64(10), []byte{1, 0}, []byte{}},
			{"p2", int64(3), []byte{}, nil},
		},
	})
}

// small is a sample whose bits can all be flipped.
func small() *memory {
	m := sample()
	m.rows["letters"][1][3] = []byte("sealed")
	return m
}

var names = rapid.StringMatching(`[a-z0-9_]{1,9}`)

// anyMemory draws tables with columns and rows of any number and contents.
func anyMemory(t *rapid.T) *memory {
	kinds := rapid.SampledFrom([]backup.Kind{backup.Text, backup.Integer, backup.Blob})
	rows := map[string][]backup.Row{}
	var tables []backup.Table
	for _, name := range rapid.SliceOfNDistinct(names, 0, 4, rapid.ID).Draw(t, "tables") {
		table := backup.Table{Name: name}
		for _, c := range rapid.SliceOfNDistinct(names, 1, 5, rapid.ID).Draw(t, "columns") {
			column := backup.Column{Name: c, Kind: kinds.Draw(t, "kind")}
			table.Columns = append(table.Columns, column)
		}
		table.Key = rapid.IntRange(1, len(table.Columns)).Draw(t, "key")
		for range rapid.IntRange(0, 6).Draw(t, "rows") {
			rows[name] = append(rows[name], anyRow(t, table))
		}
		order := func(a, b backup.Row) int { return compareKeys(a, b, table.Key) }
		same := func(a, b backup.Row) bool { return order(a, b) == 0 }
		slices.SortFunc(rows[name], order)
		rows[name] = slices.CompactFunc(rows[name], same)
		tables = append(tables, table)
	}
	return newMemory(tables, rows)
}

func anyRow(t *rapid.T, table backup.Table) backup.Row {
	r := make(backup.Row, len(table.Columns))
	for i, c := range table.Columns {
		switch {
		case i >= table.Key && rapid.Bool().Draw(t, "absent"):
		case c.Kind == backup.Text:
			r[i] = rapid.String().Draw(t, "text")
		case c.Kind == backup.Integer:
			r[i] = rapid.Int64().Draw(t, "integer")
		default:
			r[i] = rapid.SliceOfN(rapid.Byte(), 0, 50).Draw(t, "blob")
		}
	}
	return r
}

func compareKeys(a, b backup.Row, key int) int {
	for i := range key {
		order := 0
		switch v := a[i].(type) {
		case string:
			order = cmp.Compare(v, b[i].(string)) //nolint:forcetypeassert // as in a
		case int64:
			order = cmp.Compare(v, b[i].(int64)) //nolint:forcetypeassert // as in a
		case []byte:
			order = bytes.Compare(v, b[i].([]byte)) //nolint:forcetypeassert // as in a
		}
		if order != 0 {
			return order
		}
	}
	return 0
}

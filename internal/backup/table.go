package backup

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Kind is the type of a column's values.
type Kind string

// The kinds. A value may be absent in any column outside the key.
const (
	Text    Kind = "text"    // string, valid UTF-8
	Integer Kind = "integer" // int64
	Blob    Kind = "blob"    // []byte
)

// A Column is a column of a table.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// A Table describes a table and counts its rows. The first Key columns are unique, and rows are
// ordered by them: texts and blobs by their bytes.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
	Key     int      `json:"key"`
	Rows    int64    `json:"rows"`
}

// A Row has one value per column of its table: a string, an int64, a []byte, or nil for none.
type Row []any

// check returns what is wrong with a description.
func (t Table) check() error {
	names := map[string]bool{}
	for _, c := range t.Columns {
		switch {
		case !isName(c.Name) || names[c.Name]:
			return fmt.Errorf("table %s has a column without a name, or two of one name", t.Name)
		case c.Kind != Text && c.Kind != Integer && c.Kind != Blob:
			return fmt.Errorf("table %s has a column of an unknown kind", t.Name)
		}
		names[c.Name] = true
	}
	if t.Key < 1 || t.Key > len(t.Columns) || t.Rows < 0 {
		return fmt.Errorf("table %s has no key, or a negative number of rows", t.Name)
	}
	return nil
}

func checkTables(tables []Table) error {
	if len(tables) > maxTables {
		return errors.New("there are too many tables")
	}
	names := map[string]bool{}
	for _, t := range tables {
		if !isName(t.Name) || names[t.Name] {
			return errors.New("there is a table without a name, or two of one name")
		}
		names[t.Name] = true
		if err := t.check(); err != nil {
			return err
		}
	}
	return nil
}

// isName reports whether a name has lower-case letters, digits and low lines only, so that messages
// may show it.
func isName(s string) bool {
	return s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

func find(tables []Table, name string) (Table, bool) {
	i := slices.IndexFunc(tables, func(t Table) bool { return t.Name == name })
	if i < 0 {
		return Table{}, false
	}
	return tables[i], true
}

// fits reports whether a row has a value of the right kind for every column.
func (t Table) fits(r Row) bool {
	if len(r) != len(t.Columns) {
		return false
	}
	for i, value := range r {
		ok := false
		switch value.(type) {
		case nil:
			ok = i >= t.Key
		case string:
			ok = t.Columns[i].Kind == Text
		case int64:
			ok = t.Columns[i].Kind == Integer
		case []byte:
			ok = t.Columns[i].Kind == Blob
		}
		if !ok {
			return false
		}
	}
	return true
}

// inOrder reports whether a key comes before another. Both are of rows that fit.
func inOrder(key, next Row) bool {
	for i := range key {
		order := 0
		switch v := key[i].(type) {
		case string:
			n, _ := next[i].(string)
			order = cmp.Compare(v, n)
		case int64:
			n, _ := next[i].(int64)
			order = cmp.Compare(v, n)
		case []byte:
			n, _ := next[i].([]byte)
			order = bytes.Compare(v, n)
		}
		if order != 0 {
			return order < 0
		}
	}
	return false
}

// sequence checks the rows of one table as they come.
type sequence struct {
	table Table
	last  Row // the key of the last row
	n     int64
}

// add returns what is wrong with the next row: empty if nothing is.
func (s *sequence) add(r Row) string {
	if !s.table.fits(r) {
		return "it does not have the columns of " + s.table.Name
	}
	key := r[:s.table.Key:s.table.Key]
	if s.n > 0 && !inOrder(s.last, key) {
		return "it is not in the order of " + s.table.Name
	}
	s.last = slices.Clone(key)
	s.n++
	return ""
}

package attack_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/apptest"
	"github.com/keysake/keysake/internal/vault"
)

// A row is a row of any table, by column. The verbs read which columns there are.
type row map[string]any

// with returns a copy with other values: column, value, …
func (r row) with(pairs ...any) row {
	changed := maps.Clone(r)
	for i := 0; i < len(pairs); i += 2 {
		column, _ := pairs[i].(string)
		if _, found := r[column]; !found {
			panic("no column " + column)
		}
		changed[column] = pairs[i+1]
	}
	return changed
}

// ifAny is with, and leaves out the columns that the table does not have.
func (r row) ifAny(pairs ...any) row {
	changed := maps.Clone(r)
	for i := 0; i < len(pairs); i += 2 {
		if column, _ := pairs[i].(string); r.has(column) {
			changed[column] = pairs[i+1]
		}
	}
	return changed
}

func (r row) has(column string) bool {
	_, found := r[column]
	return found
}

func (r row) text(column string) string {
	s, ok := r[column].(string)
	if !ok {
		panic("no text in " + column)
	}
	return s
}

// A dump is all rows of all tables, as they were.
type dump map[string][]row

// row returns the one row of a table that has a value in a column.
func (d dump) row(table, column string, value any) row {
	for _, r := range d[table] {
		if r[column] == value {
			return r
		}
	}
	panic("no row of " + table)
}

func (h *House) exec(sql string, args ...any) int64 {
	h.t.Helper()
	defer func() { h.wrote.Store(time.Now().UnixNano()) }()
	done, err := h.db.ExecContext(h.t.Context(), sql, args...)
	apptest.Must(h.t, err)
	n, err := done.RowsAffected()
	apptest.Must(h.t, err)
	return n
}

// noticed waits until a server has noticed what was written: until then it may say what was true
// before.
func (h *House) noticed() {
	time.Sleep(time.Until(time.Unix(0, h.wrote.Load()).Add(vault.NoticedWithin)))
}

// rows reads whole rows.
func (h *House) rows(table, where string, args ...any) (found []row) {
	h.t.Helper()
	read, err := h.db.QueryContext(
		h.t.Context(), "SELECT * FROM "+table+" WHERE "+where, args...)
	apptest.Must(h.t, err)
	defer func() { apptest.Must(h.t, read.Close()) }()
	columns, err := read.Columns()
	apptest.Must(h.t, err)
	for read.Next() {
		values, to := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			to[i] = &values[i]
		}
		apptest.Must(h.t, read.Scan(to...))
		r := row{}
		for i, c := range columns {
			r[c] = values[i]
			if b, is := r[c].([]byte); is && b == nil {
				r[c] = []byte{} // as it is read: not NULL
			}
		}
		found = append(found, r)
	}
	apptest.Must(h.t, read.Err())
	return found
}

func (h *House) row(table, where string, args ...any) row {
	h.t.Helper()
	found := h.rows(table, where, args...)
	if len(found) != 1 {
		h.t.Fatalf("%d rows of %s where %s", len(found), table, where)
	}
	return found[0]
}

// byID returns the row of that id.
func (h *House) byID(table, id string) row {
	h.t.Helper()
	return h.row(table, "id = ?", id)
}

func (h *House) insert(table string, r row) {
	h.t.Helper()
	h.write("INSERT", table, r)
}

func (h *House) write(verb, table string, r row) {
	h.t.Helper()
	columns := slices.Sorted(maps.Keys(r))
	values := make([]any, len(columns))
	for i, c := range columns {
		values[i] = r[c]
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	h.exec(fmt.Sprintf("%s INTO %s (%s) VALUES (%s)",
		verb, table, strings.Join(columns, ", "), marks), values...)
}

// drop removes rows.
func (h *House) drop(table, where string, args ...any) {
	h.t.Helper()
	if h.exec("DELETE FROM "+table+" WHERE "+where, args...) == 0 {
		h.t.Fatalf("no row of %s was removed", table)
	}
}

// set changes one column of the row of that id.
func (h *House) set(table, id, column string, value any) {
	h.t.Helper()
	if h.exec("UPDATE "+table+" SET "+column+" = ? WHERE id = ?", value, id) != 1 {
		h.t.Fatalf("no row of %s was changed", table)
	}
}

// change puts a row in the place of another one.
func (h *House) change(table string, was, now row) {
	h.t.Helper()
	h.remove(table, was)
	h.insert(table, now)
}

// remove removes a row, found by its key.
func (h *House) remove(table string, r row) {
	h.t.Helper()
	var where []string
	var args []any
	for _, c := range h.key(table) {
		where, args = append(where, c+" = ?"), append(args, r[c])
	}
	h.exec("DELETE FROM "+table+" WHERE "+strings.Join(where, " AND "), args...)
}

// putBack puts a row in the place of the one with its key, if there is one, in one step.
func (h *House) putBack(table string, r row) {
	h.t.Helper()
	h.write("REPLACE", table, r)
}

// swap exchanges columns of the rows with two ids; without columns all but the id, so that each
// row stands in the other's place.
func (h *House) swap(table, a, b string, columns ...string) {
	h.t.Helper()
	first, second := h.byID(table, a), h.byID(table, b)
	h.swapRows(table, first, second, columns...)
}

func (h *House) swapRows(table string, a, b row, columns ...string) {
	h.t.Helper()
	if len(columns) == 0 {
		columns = slices.Collect(maps.Keys(a))
		columns = slices.DeleteFunc(columns, func(c string) bool { return c == "id" })
	}
	newA, newB := maps.Clone(a), maps.Clone(b)
	for _, c := range columns {
		newA[c], newB[c] = b[c], a[c]
	}
	h.remove(table, a)
	h.remove(table, b)
	h.insert(table, newA)
	h.insert(table, newB)
}

// key returns the columns of a table's primary key.
func (h *House) key(table string) (columns []string) {
	h.t.Helper()
	for _, r := range h.rows("pragma_table_info('"+table+"')", "pk > 0 ORDER BY pk") {
		columns = append(columns, r.text("name"))
	}
	return columns
}

// tables returns the tables of the product.
func (h *House) tables() (names []string) {
	h.t.Helper()
	for _, r := range h.rows("sqlite_schema", "type = 'table' AND name NOT LIKE 'sqlite%' "+
		"AND name NOT LIKE 'goose%' ORDER BY name") {
		names = append(names, r.text("name"))
	}
	return names
}

// dump reads everything, to put it back another day.
func (h *House) dump() dump {
	h.t.Helper()
	d := dump{}
	for _, table := range h.tables() {
		d[table] = h.rows(table, "1")
	}
	return d
}

// putBackAll makes the whole database what it was.
func (h *House) putBackAll(d dump) {
	h.t.Helper()
	h.exec("BEGIN IMMEDIATE")
	for _, table := range h.tables() {
		h.exec("DELETE FROM " + table)
		for _, r := range d[table] {
			h.insert(table, r)
		}
	}
	h.exec("COMMIT")
}

// putBackUsers is putBackAll but for the ledger and the chain of the instance, to which the server
// adds what it has found.
func (h *House) putBackUsers(d dump) {
	h.t.Helper()
	instance := d["instance"][0]["id"]
	h.exec("BEGIN IMMEDIATE")
	for _, table := range h.tables() {
		switch table {
		case "instance":
			continue
		case "audit_entries":
			h.exec("DELETE FROM audit_entries WHERE owner_id <> ?", instance)
		default:
			h.exec("DELETE FROM " + table)
		}
		for _, r := range d[table] {
			if r["owner_id"] != instance {
				h.insert(table, r)
			}
		}
	}
	h.exec("COMMIT")
}

// ofUser returns the column of a table that says whose a row is; empty for none.
func (h *House) ofUser(table string) string {
	h.t.Helper()
	if table == "users" {
		return "id"
	}
	for _, r := range h.rows("pragma_table_info('"+table+"')", "1") {
		if c := r.text("name"); c == "owner_id" || c == "user_id" {
			return c // owner_id comes first where there are both
		}
	}
	return ""
}

// putBackUser makes every row of one user what it was; without tables in all tables.
func (h *House) putBackUser(d dump, user string, tables ...string) {
	h.t.Helper()
	if len(tables) == 0 {
		tables = h.tables()
	}
	h.exec("BEGIN IMMEDIATE")
	for _, table := range tables {
		column := h.ofUser(table)
		if column == "" {
			continue
		}
		h.exec("DELETE FROM "+table+" WHERE "+column+" = ?", user)
		for _, r := range d[table] {
			if r[column] == user {
				h.insert(table, r)
			}
		}
	}
	h.exec("COMMIT")
}

// ledgerColumns are the columns of users and of instance that say what there is.
var ledgerColumns = []string{
	"owner_key_id", "secret_count", "audit_seq", "audit_hash", "ledger", "number",
}

// ledger returns the columns of a row that say what there is.
func ledger(r row) (pairs []any) {
	for _, c := range ledgerColumns {
		if r.has(c) {
			pairs = append(pairs, c, r[c])
		}
	}
	return pairs
}

func newID() string { return uuid.Must(uuid.NewV7()).String() }

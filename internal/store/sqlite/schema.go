package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/keysake/keysake/internal/store"
)

// A SchemaError lists how a schema differs from what the migrations make of it. A trigger or a view
// that another program added would change what statements do.
type SchemaError struct{ Differences []string }

func (e *SchemaError) Error() string {
	return "its schema was changed by another program: " + strings.Join(e.Differences, "; ") +
		": restore a backup to another folder"
}

// A schema is every table, index, trigger and view of a database, and the migrations that ran.
type schema struct {
	version    int64 // -1 for a database without tables
	objects    []object
	migrations []migration
}

// An object is a row of sqlite_schema.
type object struct{ kind, name, table, sql string }

func (o object) String() string { return fmt.Sprintf("%.20s %.80q", o.kind, o.name) }

type migration struct{ version, applied int64 }

// readSchema reads the schema that the connection sees. The type and the name of a row may lie or
// be missing: SQLite looks at the SQL.
func readSchema(ctx context.Context, c *conn) (schema, error) {
	s := schema{version: -1}
	tables := false
	err := c.Query(ctx, `SELECT coalesce(type, ''), coalesce(name, ''), coalesce(tbl_name, ''),
		coalesce(sql, '') FROM sqlite_schema ORDER BY type, name`, func(r store.Row) error {
		o := object{r.Text(0), r.Text(1), r.Text(2), r.Text(3)}
		tables = tables || o.kind == "table" && o.name == migrationsTable
		s.objects = append(s.objects, o)
		return nil
	})
	if err != nil || !tables {
		return s, err
	}
	const ran = "SELECT version_id, is_applied FROM " + migrationsTable + " ORDER BY id"
	return s, c.Query(ctx, ran, func(r store.Row) error {
		m := migration{r.Int(0), r.Int(1)}
		s.migrations = append(s.migrations, m)
		s.version = max(s.version, m.version)
		return nil
	})
}

// check compares a schema with what the migrations up to its version make. A [*SchemaError] says
// where it differs.
func (s schema) check() error {
	if len(s.objects) == 0 {
		return nil // a new database
	}
	all, err := expectedSchemas()
	if err != nil {
		return err
	}
	want := all[max(s.version, 0)]
	missing := map[[2]string]object{}
	for _, o := range want.objects {
		missing[[2]string{o.kind, o.name}] = o
	}
	var found []string
	for _, o := range s.objects {
		key := [2]string{o.kind, o.name}
		expected, ok := missing[key]
		switch {
		case !ok:
			found = append(found, o.String()+" was added")
		case o != expected:
			found = append(found, o.String()+" was changed")
		}
		delete(missing, key) // a second one of this name was added
	}
	for _, o := range want.objects {
		if _, ok := missing[[2]string{o.kind, o.name}]; ok {
			found = append(found, o.String()+" is missing")
		}
	}
	if !slices.Equal(s.migrations, want.migrations) {
		found = append(found, "the list of its migrations was changed")
	}
	if len(found) == 0 {
		return nil
	}
	return &SchemaError{found[:min(len(found), maxProblems)]}
}

// expectedSchemas are the schemas that the migrations make, by version, as an empty database in
// memory shows them.
//
//nolint:gochecknoglobals // it is a constant that takes a few milliseconds to compute
var expectedSchemas = sync.OnceValues(func() (map[int64]schema, error) {
	all, err := store.Migrations()
	if err != nil {
		return nil, err
	}
	c, err := newConn(":memory:", nil)
	if err != nil {
		return nil, err
	}
	ctx, made := context.Background(), map[int64]schema{}
	for n := 0; n <= len(all) && err == nil; n++ {
		if err = migrateUp(ctx, c, all[:n]); err == nil {
			var s schema
			s, err = readSchema(ctx, c)
			made[s.version] = s
		}
	}
	return made, errors.Join(err, c.close())
})

// checkSchema fails if another program has changed the schema since this connection last looked.
// SQLite counts the changes, so that this costs one look at the count. The connection is in a
// transaction that writes: nothing can change between the check and the commit.
func (c *conn) checkSchema(ctx context.Context) error {
	var changes int64
	err := c.Query(ctx, "PRAGMA schema_version", func(r store.Row) error {
		changes = r.Int(0)
		return nil
	})
	if err != nil || c.schemaChecked && changes == c.schemaChanges {
		return err
	}
	s, err := readSchema(ctx, c)
	if err == nil {
		err = s.check()
	}
	c.schemaChecked, c.schemaChanges = err == nil, changes
	return err
}

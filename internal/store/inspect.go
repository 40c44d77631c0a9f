package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/pressly/goose/v3"

	"github.com/keysake/keysake/internal/vault"
)

// InspectSQLite opens the database in the file at path to look at it, beside a server or without
// one: it makes nothing, changes nothing, and takes the schema as it is.
func InspectSQLite(ctx context.Context, path string) (*DB, error) {
	db, err := sql.Open("sqlite", inspectDSN(path))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return open(
		ctx,
		db,
		dialect{beginRead: "BEGIN", beginWrite: "BEGIN", classify: classifySQLite},
		2,
	)
}

func inspectDSN(path string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		// a journal that a killed server left is read, and left to the next server to sweep and to
		// play back
		"mode":    {"ro"},
		"_pragma": {"busy_timeout(5000)", "query_only(ON)", "trusted_schema(OFF)", "cell_size_check(ON)"},
	}.Encode()}).String()
}

// SchemaVersion returns the version of the schema that this program knows.
func SchemaVersion() (newest int64, err error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	for _, name := range names {
		version, err := goose.NumericComponent(name)
		if err != nil {
			return 0, err
		}
		newest = max(newest, version)
	}
	return newest, nil
}

// Schema returns the version of the database's schema.
func (d *DB) Schema(ctx context.Context) (version int64, err error) {
	err = d.View(ctx, func(r vault.Reader) error {
		s, _ := r.(*session)
		return s.row(
			ctx,
			"SELECT COALESCE(MAX(version_id), 0) FROM "+goose.DefaultTablename+" WHERE is_applied = 1",
			nil,
			[]any{&version},
		)
	})
	return version, err
}

// maxProblems bounds what Integrity returns of each kind.
const maxProblems = 10

// Integrity has the database look at itself, and returns what it finds wrong: none where all is
// well. It reads everything, and is SQLite's own.
func (d *DB) Integrity(ctx context.Context) (problems []string, err error) {
	err = d.View(ctx, func(r vault.Reader) error {
		s, _ := r.(*session)
		err := s.each(
			ctx,
			query(fmt.Sprintf("PRAGMA integrity_check(%d)", maxProblems)),
			func(row scanner) error {
				var found string
				err := row.Scan(&found)
				if found != "ok" {
					problems = append(problems, found)
				}
				return err
			},
		)
		if err != nil {
			return err
		}
		n := 0
		return s.each(ctx, "PRAGMA foreign_key_check", func(row scanner) error {
			var table, parent string
			var rowid, key sql.NullInt64
			err := row.Scan(&table, &rowid, &parent, &key)
			if n++; n <= maxProblems {
				problems = append(
					problems,
					fmt.Sprintf(
						"a row of %s refers to a row of %s that is not there",
						table,
						parent,
					),
				)
			}
			return err
		})
	})
	return problems, err
}

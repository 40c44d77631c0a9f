package sqlite

import (
	"context"
	"fmt"

	"github.com/keysake/keysake/internal/store"
)

// The table of the migrations that ran, as goose keeps it.
const (
	migrationsTable = "goose_db_version"

	createTable = "CREATE TABLE " + migrationsTable + ` (
		id INTEGER PRIMARY KEY AUTOINCREMENT,
		version_id INTEGER NOT NULL,
		is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now'))
	)`
	insertVersion = "INSERT INTO " + migrationsTable + " (version_id, is_applied) VALUES ($1, 1)"
)

// migrate brings the schema up to date. A newer schema than this program's is an error, and for a
// shared database an older one as well: a server of that version may be running on it. So is a
// schema that the migrations do not make, before anything is written: [*SchemaError].
func migrate(ctx context.Context, c *conn, shared bool) error {
	newest, err := store.SchemaVersion()
	if err != nil {
		return err
	}
	found, err := readSchema(ctx, c)
	if err != nil {
		return err
	}
	if found.version > newest {
		return fmt.Errorf("its schema has version %d, this program knows up to %d: "+
			"use a newer keysake", found.version, newest)
	}
	if shared && found.version < newest {
		return fmt.Errorf("its schema has version %d, this program's has %d: "+
			"start the server of this version first", max(found.version, 0), newest)
	}
	if err := found.check(); err != nil || found.version == newest {
		return err
	}
	all, err := store.Migrations()
	if err != nil {
		return err
	}
	return migrateUp(ctx, c, all)
}

// migrateUp runs the migrations that are missing, in one transaction.
func migrateUp(ctx context.Context, c *conn, all []store.Migration) error {
	if err := c.begin(ctx, "BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := runMissing(ctx, c, all)
	if err == nil {
		err = c.run(ctx, "COMMIT")
	}
	if err != nil {
		_ = c.rollback(ctx) // the connection is closed after an error
	}
	return err
}

func runMissing(ctx context.Context, c *conn, all []store.Migration) error {
	found, err := readSchema(ctx, c) // another process may have been here in the meantime
	if err != nil {
		return err
	}
	if found.version < 0 {
		if err := c.run(ctx, createTable); err != nil {
			return err
		}
		if err := c.run(ctx, insertVersion, int64(0)); err != nil {
			return err
		}
	}
	for _, m := range all {
		if m.Version <= found.version {
			continue
		}
		for _, statement := range m.Statements {
			if err := c.db.Run(statement); err != nil {
				return fmt.Errorf("migration %d: %w", m.Version, c.failed(err))
			}
		}
		if err := c.run(ctx, insertVersion, m.Version); err != nil {
			return err
		}
	}
	return nil
}

package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/keysake/keysake/internal/store"
)

func newMigrations(db *sql.DB) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, db, store.Migrations())
}

// migrate brings the schema up to date. A newer schema than this program's is an error, and for a
// shared database an older one as well: a server of that version may be running on it. So is a
// schema that the migrations do not make, before anything is written: [*SchemaError].
func migrate(ctx context.Context, db *sql.DB, shared bool) error {
	newest, err := store.SchemaVersion()
	if err != nil {
		return err
	}
	found, err := readSchemaOf(ctx, db)
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
	provider, err := newMigrations(db)
	if err == nil {
		_, err = provider.Up(ctx)
	}
	return err
}

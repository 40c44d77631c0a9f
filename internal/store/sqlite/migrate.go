package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/pressly/goose/v3"

	"github.com/keysake/keysake/internal/store"
)

// migrate brings the schema up to date. A newer schema than this program's is an error, and for a
// shared database an older one as well: a server of that version may be running on it.
func migrate(ctx context.Context, db *sql.DB, shared bool) error {
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, store.Migrations())
	if err != nil {
		return err
	}
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > newest {
		return fmt.Errorf("its schema has version %d, this program knows up to %d: "+
			"use a newer keysake", current, newest)
	}
	if current == newest {
		return nil
	}
	if shared {
		return fmt.Errorf("its schema has version %d, this program's has %d: "+
			"start the server of this version first", current, newest)
	}
	_, err = provider.Up(ctx)
	return err
}

package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // registers the driver "sqlite", for migrations alone

	"github.com/keysake/keysake/internal/store"
)

// withMigrations gives fn the migrations of the database that a URL names.
func withMigrations(dbURL string, fn func(*goose.Provider) error) error {
	db, err := sql.Open("sqlite", dbURL)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, store.Migrations())
	if err == nil {
		err = fn(provider)
	}
	return errors.Join(err, db.Close())
}

// migrate brings the schema up to date. A newer schema than this program's is an error, and for a
// shared database an older one as well: a server of that version may be running on it. So is a
// schema that the migrations do not make, before anything is written: [*SchemaError].
//
// The connection stays open meanwhile: closing the last one would move the log into the database.
func migrate(ctx context.Context, c *conn, path string, shared bool) error {
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
	dsn := fileURL(path, url.Values{"_pragma": settings(writerCache)})
	return withMigrations(dsn, func(p *goose.Provider) error {
		_, err := p.Up(ctx)
		return err
	})
}

package pgtest

import (
	"context"

	"github.com/keysake/keysake/internal/store/postgres"
)

// Migrated is a database with the schema of this program.
var Migrated = &Template{
	Prepare: func(ctx context.Context, url string) error {
		db, err := postgres.Open(ctx, postgres.Options{URL: url})
		if err != nil {
			return err
		}
		return db.Close()
	},
	Keep: []string{"goose_db_version"},
}

package maintenance

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite"
)

const restoreBackup = "restore a backup into another folder, and check that with doctor"

// database examines the database of the data folder.
func (r *reporter) database(ctx context.Context) (err error) {
	path := filepath.Join(r.cfg.Data, instance.DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		r.fail(
			"database", "name the right folder with --data; or "+restoreBackup,
			"there is none in %s", r.cfg.Data,
		)
		return nil
	}
	db, err := sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		r.fail("database", restoreBackup, "it cannot be opened: %v", err)
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if !r.schema(ctx, db) {
		return nil
	}
	r.integrity(ctx, db)
	err = db.Snapshot(ctx, func(src backup.Source) error {
		return r.source(ctx, "", src)
	})
	if err != nil && ctx.Err() == nil {
		r.fail("database", restoreBackup, "it cannot be read to its end: %v", err)
		err = nil
	}
	return err
}

func (r *reporter) schema(ctx context.Context, db *sqlite.ReadOnly) (known bool) {
	newest, err := store.SchemaVersion()
	version := int64(0)
	if err == nil {
		version, err = db.Schema(ctx)
	}
	switch {
	case err != nil:
		r.fail(
			"schema", restoreBackup, "the version of the database's schema cannot be read: %v", err,
		)
	case version > newest:
		r.fail(
			"schema", "use a newer keysake",
			"the database's schema is of version %d, this program knows up to %d", version, newest,
		)
	case version < newest:
		r.fail(
			"schema",
			"start the server of this version once, or use the doctor of the version that serves it",
			"the database's schema is of version %d, this program's is %d", version, newest,
		)
	default:
		r.ok("schema", "version %d, which is this program's", version)
	}
	return err == nil && version == newest
}

func (r *reporter) integrity(ctx context.Context, db *sqlite.ReadOnly) {
	problems, err := db.Integrity(ctx)
	switch {
	case err != nil:
		r.fail("database", restoreBackup, "it cannot be checked: %v", err)
	case len(problems) > 0:
		r.add(doctor.Check{
			Name:    "database",
			Status:  doctor.Failed,
			Text:    "its file is damaged, or was changed past Keysake",
			Details: problems,
			Advice:  restoreBackup,
		})
	default:
		r.ok("database", "its file is sound, and what rows refer to is there")
	}
}

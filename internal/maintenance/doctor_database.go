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

// restoreBackup is the advice where the database has lost something.
const restoreBackup = "restore a backup to another folder, and check that folder with doctor"

// examineDatabase examines the database that the configuration names.
func (r *reporter) examineDatabase(ctx context.Context) (err error) {
	if r.cfg.DatabaseURL != "" {
		return r.examinePostgres(ctx)
	}
	path := filepath.Join(r.cfg.Data, instance.DatabaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		r.fail("database", "give the right folder with --data, or "+restoreBackup,
			"%s has no database", r.cfg.Data)
		return nil
	}
	db, err := sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		r.fail("database", restoreBackup, "it cannot be opened: %v", err)
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if !r.checkSchema(ctx, db) {
		return nil
	}
	r.checkIntegrity(ctx, db)
	return r.examineAll(ctx, db)
}

// examineAll examines all rows of a database.
func (r *reporter) examineAll(ctx context.Context, db snapshotter) error {
	err := db.Snapshot(ctx, func(src backup.Source) error { return r.examineRows(ctx, "", src) })
	if err != nil && ctx.Err() == nil {
		r.fail("database", restoreBackup, "it cannot be read to its end: %v", err)
		err = nil
	}
	return err
}

// A snapshotter is a database that is open for reading.
type snapshotter interface {
	Snapshot(ctx context.Context, fn func(backup.Source) error) error
	Close() error
}

// openForReading opens the database that the configuration names.
func (r *reporter) openForReading(ctx context.Context) (snapshotter, error) {
	if r.cfg.DatabaseURL != "" {
		return instance.OpenPostgres(ctx, r.cfg)
	}
	return sqlite.OpenReadOnly(ctx, filepath.Join(r.cfg.Data, instance.DatabaseFile))
}

// checkSchema reports whether the database has the schema of this program, with nothing added,
// which the other checks need.
func (r *reporter) checkSchema(ctx context.Context, db *sqlite.ReadOnly) bool {
	newest, err := store.SchemaVersion()
	version := int64(0)
	if err == nil {
		version, err = db.Schema(ctx)
	}
	switch {
	case err != nil:
		r.fail("schema", restoreBackup, "its version cannot be read: %v", err)
		return false
	case version > newest:
		r.fail("schema", "use a newer keysake",
			"the database has version %d, and this program knows versions up to %d",
			version, newest)
		return false
	case version < newest:
		r.fail("schema", "start the server of this version once, or use the doctor of the version "+
			"that serves the database",
			"the database has version %d, and this program version %d", version, newest)
		return false
	}
	err = db.CheckSchema(ctx)
	changed, ok := errors.AsType[*sqlite.SchemaError](err)
	switch {
	case ok:
		r.add(doctor.Check{
			Name:    "schema",
			Status:  doctor.Failed,
			Text:    "another program changed it: what the database does and shows may be forged",
			Details: changed.Differences,
			Advice:  restoreBackup,
		})
	case err != nil:
		r.fail("schema", restoreBackup, "it cannot be read: %v", err)
	default:
		r.ok("schema", "version %d, as this program makes it", version)
	}
	return err == nil
}

func (r *reporter) checkIntegrity(ctx context.Context, db *sqlite.ReadOnly) {
	problems, err := db.Integrity(ctx)
	switch {
	case err != nil:
		r.fail("database", restoreBackup, "it cannot be checked: %v", err)
	case len(problems) > 0:
		r.add(doctor.Check{
			Name:    "database",
			Status:  doctor.Failed,
			Text:    "the file is damaged, or another program changed it",
			Details: problems,
			Advice:  restoreBackup,
		})
	default:
		r.ok("database", "the file is not damaged, and no row refers to a missing one")
	}
}

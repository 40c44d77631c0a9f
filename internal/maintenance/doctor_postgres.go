package maintenance

import (
	"context"
	"errors"

	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/store/postgres"
)

// examinePostgres examines the database at a URL.
func (r *reporter) examinePostgres(ctx context.Context) (err error) {
	db, err := instance.OpenPostgres(ctx, r.cfg)
	changed, ok := errors.AsType[*postgres.SchemaError](err)
	switch {
	case ok:
		r.add(doctor.Check{
			Name: "schema", Status: doctor.Failed,
			Text:    "another program changed it: what the database does and shows may be forged",
			Details: changed.Differences,
			Advice:  "restore a backup to another database, and check that with doctor",
		})
		return nil
	case err != nil:
		r.fail("database", "check that PostgreSQL runs, and --database-url",
			"it cannot be opened: %v", err)
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r.ok("schema", "of this version, and nothing was added")
	facts, err := db.Facts(ctx)
	if err != nil {
		r.fail("database", "check that PostgreSQL runs", "it cannot be asked: %v", err)
		return ctx.Err()
	}
	r.checkFacts(facts)
	return r.examineAll(ctx, db)
}

// checkFacts checks what PostgreSQL promises of the database, and of the connection to it.
func (r *reporter) checkFacts(f postgres.Facts) {
	const name = "database"
	switch {
	case f.DamagedPages > 0:
		r.fail(name, restoreBackup, "PostgreSQL has met %d damaged pages", f.DamagedPages)
	case !f.Durable:
		r.fail(name, "set fsync and full_page_writes to on",
			"a crash of PostgreSQL %s would damage the database", f.Version)
	case !f.Checksums:
		r.ok(name, "PostgreSQL %s, which keeps no checksums of its pages (pg_checksums --enable)",
			f.Version)
	default:
		r.ok(name, "PostgreSQL %s, which has met no damaged page", f.Version)
	}
	switch {
	case f.TLS:
		r.ok("connection", "it is encrypted, as role %s", f.Role)
	case f.Local:
		r.ok("connection", "it does not leave this machine, as role %s", f.Role)
	default:
		r.warn("connection", "add ?sslmode=verify-full to --database-url",
			"the connection to the database is not encrypted")
	}
}

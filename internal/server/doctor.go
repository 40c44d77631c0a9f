package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/doctor"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite"
)

// A Checkup says what [Doctor] is to look at.
type Checkup struct {
	// how many versions to open, of the database and of the backup each; [doctor.All] for all
	Sample int
	Backup string // a backup to look at as well; none if empty
}

// Doctor answers "could we recover?" of a data folder, and of a backup if one is named. It works
// beside a server that may be serving, changes nothing, and shows nothing of a value. What is wrong
// is in the report; an error says that it could not be made.
func Doctor(
	ctx context.Context,
	cfg config.Config,
	ask Passphrase,
	what Checkup,
) (doctor.Report, error) {
	e := &examiner{cfg: cfg, roots: newRootKeys(cfg, ask), what: what}
	e.folder()
	if err := e.database(ctx); err != nil {
		return e.report, err
	}
	if what.Backup != "" {
		if err := e.backup(ctx); err != nil {
			return e.report, err
		}
	}
	return e.report, ctx.Err()
}

// examiner makes the report, check by check.
type examiner struct {
	cfg    config.Config
	roots  *rootKeys
	what   Checkup
	report doctor.Report
}

func (e *examiner) add(checks ...doctor.Check) {
	e.report.Checks = append(e.report.Checks, checks...)
}

func (e *examiner) ok(name, format string, args ...any) {
	e.add(doctor.Check{Name: name, Status: doctor.OK, Text: fmt.Sprintf(format, args...)})
}

func (e *examiner) warn(name, do, format string, args ...any) {
	e.add(
		doctor.Check{
			Name:   name,
			Status: doctor.Warning,
			Text:   fmt.Sprintf(format, args...),
			Do:     do,
		},
	)
}

func (e *examiner) fail(name, do, format string, args ...any) {
	e.add(
		doctor.Check{Name: name, Status: doctor.Failed, Text: fmt.Sprintf(format, args...), Do: do},
	)
}

const restoreBackup = "restore a backup into another folder, and check that with doctor"

// database examines the database of the data folder.
func (e *examiner) database(ctx context.Context) (err error) {
	path := filepath.Join(e.cfg.Data, databaseFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		e.fail(
			"database",
			"name the right folder with --data; or "+restoreBackup,
			"there is none in %s",
			e.cfg.Data,
		)
		return nil
	}
	db, err := sqlite.OpenReadOnly(ctx, path)
	if err != nil {
		e.fail("database", restoreBackup, "it cannot be opened: %v", err)
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if !e.schema(ctx, db) {
		return nil
	}
	e.integrity(ctx, db)
	err = db.Snapshot(ctx, func(src backup.Source) error {
		keys, err := src.RootKeys(ctx)
		if err != nil {
			return err
		}
		e.custody(keys)
		return e.source(ctx, "", src)
	})
	if err != nil && ctx.Err() == nil {
		e.fail("database", restoreBackup, "it cannot be read to its end: %v", err)
		err = nil
	}
	return err
}

func (e *examiner) schema(ctx context.Context, db *sqlite.ReadOnly) (known bool) {
	newest, err := store.SchemaVersion()
	version := int64(0)
	if err == nil {
		version, err = db.Schema(ctx)
	}
	switch {
	case err != nil:
		e.fail(
			"schema",
			restoreBackup,
			"the version of the database's schema cannot be read: %v",
			err,
		)
	case version > newest:
		e.fail(
			"schema",
			"use a newer keysake",
			"the database's schema is of version %d, this program knows up to %d",
			version,
			newest,
		)
	case version < newest:
		e.fail(
			"schema",
			"start the server of this version once, or use the doctor of the version that serves it",
			"the database's schema is of version %d, this program's is %d",
			version,
			newest,
		)
	default:
		e.ok("schema", "version %d, which is this program's", version)
	}
	return err == nil && version == newest
}

func (e *examiner) integrity(ctx context.Context, db *sqlite.ReadOnly) {
	problems, err := db.Integrity(ctx)
	switch {
	case err != nil:
		e.fail("database", restoreBackup, "it cannot be checked: %v", err)
	case len(problems) > 0:
		e.add(doctor.Check{
			Name:    "database",
			Status:  doctor.Failed,
			Text:    "its file is damaged, or was changed past Keysake",
			Details: problems,
			Do:      restoreBackup,
		})
	default:
		e.ok("database", "its file is sound, and what rows refer to is there")
	}
}

// source examines the rows of a database or of a backup; of tells which in the names of the checks.
func (e *examiner) source(ctx context.Context, of string, src backup.Source) error {
	keys, err := src.RootKeys(ctx)
	if err != nil {
		return err
	}
	roots := e.rootKeys(ctx, of+"root keys", keys)
	checks, err := doctor.Examine(ctx, src, roots, e.what.Sample)
	for _, c := range checks {
		c.Name = of + c.Name
		e.add(c)
	}
	return err
}

// rootKeys opens every root key that is still needed.
func (e *examiner) rootKeys(
	ctx context.Context,
	name string,
	keys []backup.RootKey,
) map[uuid.UUID]seal.RootKey {
	needed := e.roots.openNeeded(ctx, keys)
	open, err := rootsByID(needed)
	primary, primaryURL, old := 0, "", []string(nil)
	for _, o := range needed {
		if o.State == "primary" {
			primary++
			primaryURL = o.URL
		} else {
			old = append(
				old,
				fmt.Sprintf(
					"root key %s at %s still wraps %d owner keys",
					o.ID,
					o.URL,
					o.OwnerKeys,
				),
			)
		}
	}
	switch {
	case err != nil:
		e.fail(
			name,
			"put the key back, or say with --root-key where it is; without it what it wraps is lost",
			"%v",
			err,
		)
	case primary != 1:
		e.fail(name, restoreBackup, "there are %d primary root keys, not one", primary)
	case len(old) > 0:
		e.add(doctor.Check{
			Name:    name,
			Status:  doctor.Warning,
			Text:    "all that are needed open; some were replaced and are needed still",
			Details: old,
			Do:      "finish the rotation: keysake root-key rotate --to " + primaryURL,
		})
	default:
		e.ok(name, "the one that is needed opens: %s", needed[0].url)
	}
	return open
}

// backup examines the backup end to end.
func (e *examiner) backup(ctx context.Context) (err error) {
	const another = "make another backup, and keep the older ones until that one is checked"
	f, whole, err := openBackup(ctx, e.what.Backup)
	if err != nil {
		e.fail("backup", another, "%v", err)
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m := whole.Manifest()
	e.ok(
		"backup",
		"of %s, whole: format %d, schema %d, sha256 %s",
		m.CreatedAt.Format(time.RFC3339),
		m.Format,
		m.Schema,
		whole.Digest(),
	)
	if info, err := f.Stat(); err == nil && privatefile.CheckMode(info) != nil {
		e.warn(
			"backup mode",
			"chmod 600 "+e.what.Backup,
			"others may read or change the backup: its mode is %04o",
			info.Mode().Perm(),
		)
	}
	if err := e.source(ctx, "backup ", whole); err != nil && ctx.Err() == nil {
		e.fail("backup", another, "it cannot be read to its end: %v", err)
	}
	return ctx.Err()
}

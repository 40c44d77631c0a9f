package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // registers the driver "sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/keysake/keysake/internal/vault"
)

// sqliteReaders is how many reads go on at once. SQLite works in the process: more would only take
// turns on the cores.
const sqliteReaders = 8

// busyTimeout is how long a connection waits for another one's lock.
const busyTimeout = 5 * time.Second

//go:embed migrations/*.sql
var migrations embed.FS

// OpenSQLite opens the database in the file at path, makes it if there is none, and brings its
// schema up to date. The file and its journal are readable by their owner only. One process serves
// it; others use [OpenSQLiteBeside].
func OpenSQLite(
	ctx context.Context,
	path string,
) (*DB, error) {
	return openSQLite(ctx, path, false)
}

// OpenSQLiteBeside opens a database that a server may be serving. It takes turns with that server
// to write, and leaves the schema as it is: an older one is an error.
func OpenSQLiteBeside(ctx context.Context, path string) (*DB, error) {
	return openSQLite(ctx, path, true)
}

func openSQLite(ctx context.Context, path string, guest bool) (*DB, error) {
	path = filepath.Clean(path) // a second slash at its beginning would make the DSN name a host
	if err := ensurePrivate(path); err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	db, err := sql.Open("sqlite", sqliteDSN(path))
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	if err := migrate(ctx, db, guest); err != nil {
		return nil, errors.Join(fmt.Errorf("open database %s: %w", path, err), db.Close())
	}
	turns := newTurnstile(path+".turn", guest)
	return open(ctx, db, dialect{
		beginRead: "BEGIN", beginWrite: "BEGIN IMMEDIATE", classify: classifySQLite,
		turns: turns, journal: &journal{path: path + "-wal", turns: turns},
	}, sqliteReaders)
}

// ensurePrivate makes the file before SQLite does, because SQLite would let others read it; the
// journal gets the same mode. A journal that a server on a read-only database has left is
// read-only, too: it must not keep the database so when it may be written again.
func ensurePrivate(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if errors.Is(err, fs.ErrPermission) {
		return nil // a read-only database can still be read: SQLite says what it cannot do
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	for _, journal := range []string{path + "-wal", path + "-shm"} {
		err := os.Chmod(journal, info.Mode().Perm())
		if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}

// sqliteDSN has the settings of every connection: a PRAGMA that is executed reaches only one.
func sqliteDSN(path string) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{"_pragma": {
		"busy_timeout(" + strconv.FormatInt(busyTimeout.Milliseconds(), 10) + ")",
		"journal_mode(WAL)",
		"synchronous(FULL)", // a commit that was answered survives a power cut
		"foreign_keys(ON)",
		"secure_delete(ON)",     // what is deleted is overwritten; sweep.go does the rest
		"temp_store(MEMORY)",    // no savepoint writes pages elsewhere
		"cache_size(-65536)",    // KiB, a connection at most
		"wal_autocheckpoint(0)", // the writer does it
		"trusted_schema(OFF)",
	}}.Encode()}).String()
}

// migrate brings the schema up to date. A schema that is newer than this program is an error, and
// for a guest an older one as well: a server of that version may be running on it.
func migrate(ctx context.Context, db *sql.DB, guest bool) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, dir)
	if err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf(
			"its schema is of version %d, this program knows up to %d: use a newer keysake",
			current,
			target,
		)
	}
	if current == target {
		return nil
	}
	if guest {
		return fmt.Errorf(
			"its schema is of version %d, this program's of %d: start the server of this version first",
			current,
			target,
		)
	}
	_, err = provider.Up(ctx)
	return err
}

// classifySQLite gives a driver's error its kind, by code and never by text.
func classifySQLite(err error) error {
	failed, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch failed.Code() {
	case sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY:
		return &vault.Error{Kind: vault.Conflict, Detail: "Already exists", Cause: err}
	}
	switch failed.Code() & 0xff { // the primary code
	case sqlite3.SQLITE_FULL,
		sqlite3.SQLITE_IOERR,
		sqlite3.SQLITE_READONLY,
		sqlite3.SQLITE_CANTOPEN,
		sqlite3.SQLITE_BUSY,
		sqlite3.SQLITE_LOCKED,
		sqlite3.SQLITE_NOMEM:
		return &vault.Error{
			Kind:   vault.Unavailable,
			Detail: "The database cannot be used now: try again later",
			Cause:  err,
		}
	}
	return err
}

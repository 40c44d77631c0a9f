package instance

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/store/postgres"
	"github.com/keysake/keysake/internal/vault"
)

// A Database is an open database: the file in a data folder, or one of a PostgreSQL server.
type Database interface {
	vault.Store

	// Snapshot gives fn all rows as they are at one moment, while others read and write.
	Snapshot(ctx context.Context, fn func(backup.Source) error) error
	// Load puts all rows of src into an empty database, in one transaction. Conflict: the database
	// is not empty, or src has two rows with the same key.
	Load(ctx context.Context, src backup.Source) error

	// Ping reports whether the database can be read.
	Ping(ctx context.Context) error
	// WriteFault returns why updates fail, in words for anyone who asks; empty if they succeed.
	WriteFault(ctx context.Context) string
	// ReadOnly reports whether the database could not be written when it was opened.
	ReadOnly() bool
	// Space returns how many bytes are free on the disk, and how many must be for updates that are
	// not reserved. Both are 0 if that is unknown.
	Space() (free, floor uint64)
	// Size returns how many bytes the database has.
	Size(ctx context.Context) (int64, error)
	// Stats returns how many updates were made durable since the start, and in how many commits.
	Stats() (updates, commits uint64)

	// Close waits for the transactions that have begun, and closes the database.
	Close() error
}

// openPostgres opens the database that the configuration names by its URL. The data folder has what
// is of this server alone, and a server makes it; a command needs none.
func (i *Instance) openPostgres(ctx context.Context, cfg config.Config, access Access) error {
	options, err := databaseOptions(cfg)
	if err != nil {
		return err
	}
	if cfg.Program != "" {
		n := rand.Uint32() //nolint:gosec // nobody gains by guessing it
		i.Connection = fmt.Sprintf("keysake %s %08x", cfg.Program, n)
		options.Name = i.Connection
	}
	open := postgres.OpenShared
	if access.exclusive() {
		open = postgres.Open
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return err
		}
		if i.lock, err = Lock(cfg.Data); err != nil {
			return err
		}
	}
	db, err := open(ctx, options)
	if err != nil {
		return err
	}
	i.Store, i.tryLock = db, db.TryLockRotation
	return nil
}

// databaseOptions returns how to connect to the database that the configuration names by its URL.
func databaseOptions(cfg config.Config) (o postgres.Options, err error) {
	o = postgres.Options{
		URL: cfg.DatabaseURL, MaxConns: cfg.DatabaseConnections, Pooler: cfg.DatabasePooler,
	}
	if cfg.DatabasePasswordFile != "" {
		text, err := os.ReadFile(cfg.DatabasePasswordFile)
		if err != nil {
			return o, fmt.Errorf("--database-password-file: %w", err)
		}
		o.Password = string(bytes.TrimRight(text, "\r\n"))
	}
	return o, nil
}

// OpenForRestore opens a database of PostgreSQL that a restore is to fill. An error wraps
// [ErrCannotOpen].
func OpenForRestore(ctx context.Context, cfg config.Config) (*postgres.Restoring, error) {
	options, err := databaseOptions(cfg)
	if err != nil {
		return nil, CannotOpen(err)
	}
	db, err := postgres.OpenForRestore(ctx, options)
	if err != nil {
		return nil, CannotOpen(err)
	}
	return db, nil
}

// OpenPostgres opens a database of PostgreSQL without changing it, for those who examine it.
func OpenPostgres(ctx context.Context, cfg config.Config) (*postgres.DB, error) {
	options, err := databaseOptions(cfg)
	if err != nil {
		return nil, err
	}
	return postgres.OpenShared(ctx, options)
}

// Migrate brings the schema of a database of PostgreSQL up to date, and lets a role use its tables,
// if one is named. It returns the version of the schema before and after. An error wraps
// [ErrCannotOpen].
func Migrate(
	ctx context.Context, cfg config.Config, role string,
) (before, after int64, err error) {
	options, err := databaseOptions(cfg)
	if err == nil {
		before, after, err = postgres.Migrate(ctx, options, role)
	}
	if err != nil {
		return 0, 0, CannotOpen(err)
	}
	return before, after, nil
}

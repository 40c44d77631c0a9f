package maintenance

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/keysake/keysake/internal/anchor"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/seal"
	"github.com/keysake/keysake/internal/vault"
	"github.com/keysake/keysake/plaintext"
)

// RestoreOptions say what [Restore] does.
type RestoreOptions struct {
	Username    string   // the admin who gets an API key; empty for the only one
	KeepAPIKeys bool     // the API keys of the backup go on working
	SkipUsers   []string // names or ids of users who are left out
}

// Restored describes what was restored, and where.
type Restored struct {
	BackupFile

	Data        string    `json:"data"`
	KeysFile    string    `json:"keys_file"`
	InstanceKey uuid.UUID `json:"instance_key"` // which signs from now on
	Users       int       `json:"users"`
	Skipped     []string  `json:"skipped_users"`
	Suspended   int       `json:"suspended_api_keys"`
	Leases      int       `json:"ended_leases"`
	Refused     []string  `json:"refused_names"` // what today's rules would refuse

	Username string          `json:"-"` // of the admin who got an API key
	Key      plaintext.Value `json:"-"` // that key; zero where API keys were kept
}

// Restore creates a data folder from a backup, and records that in the audit log of the instance.
// The folder must be empty or missing, and so must be a database of PostgreSQL. The configuration
// names the keys, never the backup. Before Restore writes anything, it reads the whole backup and
// verifies all of it; a user who does not verify is refused, unless left out. The folder has a
// database only once that is complete and on disk.
//
// The new database has an instance key of its own, which has signed everything again: what was
// signed before, or is signed by whoever has the same backup, does not count in it. The keys file
// beside the folder names that key and the root keys. API keys are suspended, unless they are to be
// kept, and an admin gets a new one.
//
// The error wraps [instance.ErrCannotOpen] if a key does not open.
func Restore(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, file string, o RestoreOptions,
) (done Restored, err error) {
	done = Restored{Data: cfg.Data, Skipped: []string{}, Refused: []string{}}
	if err := mustBeEmpty(cfg.Data); err != nil {
		return done, err
	}
	f, contents, err := done.open(ctx, file)
	if err != nil {
		return done, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	r := &restoration{keys: instance.NewKeys(cfg, ask), options: o, done: &done}
	defer r.keys.Opener.Close()
	if err := r.verify(ctx, contents); err != nil {
		return done, fmt.Errorf("%w. Nothing was written", err)
	}
	create := createDatabase
	if cfg.DatabaseURL != "" {
		create = fillPostgres
	}
	load := func(db instance.Database) error { return r.load(ctx, db) }
	ready := func() (err error) {
		// the old key stays until the database is there: another try needs it
		r.keys.Believe(append([]uuid.UUID{done.InstanceKey}, r.old...)...)
		_, err = r.keys.WriteFile()
		return err
	}
	err = inFolder(cfg.Data, func() error { return create(ctx, cfg, load, ready) })
	if err == nil {
		r.keys.Believe(done.InstanceKey)
		done.KeysFile, err = r.keys.WriteFile()
	}
	return done, err
}

// A restoration is what a restore knows.
type restoration struct {
	keys    *instance.Keys
	options RestoreOptions
	src     backup.Source // without the users who are left out
	skipped []uuid.UUID
	done    *Restored
	old     []uuid.UUID // the instance keys of the backup

	roots   map[uuid.UUID]seal.RootKey // those that open
	signers anchor.Keys                // that are believed of src
}

// load fills a database with what was verified, signs it with a new instance key, and records that.
func (r *restoration) load(ctx context.Context, db instance.Database) error {
	if err := db.Load(ctx, r.src); err != nil {
		return err
	}
	i, err := instance.Adopt(ctx, db, r.keys)
	if err != nil {
		return instance.CannotOpen(err)
	}
	if !r.options.KeepAPIKeys {
		if r.done.Username, err = i.FindAdmin(ctx, r.options.Username); err != nil {
			return err
		}
	}
	if r.done.Leases, err = i.Operator.EndLeases(ctx); err != nil {
		return err
	}
	if err := r.resign(ctx, i.Operator); err != nil {
		return err
	}
	err = i.Operator.RecordRestore(ctx, vault.Restore{
		File: r.done.File, Users: r.done.Users, Suspended: r.done.Suspended,
		Leases: r.done.Leases, Skipped: r.skipped,
	})
	if err != nil || r.options.KeepAPIKeys {
		return err
	}
	r.done.Key, err = i.CreateAdmin(ctx, r.done.Username, "from the restore")
	return err
}

// resign replaces the instance key. Only it is believed after that.
func (r *restoration) resign(ctx context.Context, operator *vault.Operator) error {
	key, err := seal.NewInstanceKey()
	if err != nil {
		return err
	}
	if err := operator.AddInstanceKey(ctx, key); err != nil {
		return err
	}
	if r.old, err = r.keys.InstanceKeys(); err != nil {
		return err
	}
	r.done.InstanceKey = key.ID()
	r.keys.Believe(append([]uuid.UUID{key.ID()}, r.old...)...)
	if err := operator.OpenInstanceKeys(ctx); err != nil {
		return err
	}
	r.done.Suspended, err = operator.Resign(ctx, !r.options.KeepAPIKeys, func(int, int) {})
	if err != nil {
		return err
	}
	r.keys.Believe(key.ID())
	return errors.Join(operator.OpenInstanceKeys(ctx), operator.DropInstanceKeys(ctx))
}

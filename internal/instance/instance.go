// Package instance opens a data folder with its root keys, for the server and for the commands that
// maintain it.
package instance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/keysake/keysake/internal/catalog"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/store/sqlite"
	"github.com/keysake/keysake/internal/vault"
)

// DatabaseFile is the name of the database in a data folder.
const DatabaseFile = "keysake.db"

// ErrCannotOpen is in the error of a data folder, or of a root key, that cannot be opened.
var ErrCannotOpen = errors.New("cannot open the data folder")

// CannotOpen returns an error with the text of err that wraps [ErrCannotOpen], too.
func CannotOpen(err error) error { return &openError{err} }

type openError struct{ cause error }

func (e *openError) Error() string   { return e.cause.Error() }
func (e *openError) Unwrap() []error { return []error{ErrCannotOpen, e.cause} }

// An Instance is an open data folder.
type Instance struct {
	Store    Database
	Vault    *vault.Service
	Operator *vault.Operator
	Keys     *Keys
	Catalog  *catalog.Catalog

	// Connection is the name of what serves among the connections to a database that servers share.
	Connection string

	// Foreign are root keys that wrap owner keys though the configuration does not name them: what
	// they wrap does not open.
	Foreign []vault.StoredRootKey

	floors  *keptFloors // nil without a floors file
	tryLock func(context.Context) (unlock func() error, locked bool, err error)

	lock     *flock.Flock // nil if a server may be running
	database *fileLock    // nil if a server may be running
}

// An Access says what a data folder is opened for.
type Access int

const (
	// Serve is for a server: the database must exist, and no other server may run. A database that
	// cannot be written is open for reading alone.
	Serve Access = iota
	// Create is like Serve, and creates what is missing. It never overwrites anything.
	Create
	// Shared is for a command; a server may be running.
	Shared
	// Sealed is like Shared, and opens no root key.
	Sealed
)

// Alone is the access of a command beside which no server may run on the data folder. A database
// that servers share keeps changes apart by itself.
func Alone(cfg config.Config) Access {
	if cfg.DatabaseURL != "" {
		return Shared
	}
	return Serve
}

// exclusive reports whether no server may run in the meantime.
func (a Access) exclusive() bool { return a == Serve || a == Create }

// Open opens a data folder with the keys that the configuration names, unless access is [Sealed].
// An error wraps [ErrCannotOpen].
func Open(
	ctx context.Context, cfg config.Config, keys *Keys, access Access,
) (*Instance, error) {
	i := &Instance{Keys: keys}
	if err := i.open(ctx, cfg, access); err != nil {
		return nil, CannotOpen(errors.Join(err, i.Close()))
	}
	return i, nil
}

func (i *Instance) open(ctx context.Context, cfg config.Config, access Access) error {
	if err := checkBeside(cfg); err != nil {
		return err
	}
	openDatabase := i.openFiles
	if cfg.DatabaseURL != "" {
		openDatabase = i.openPostgres
	}
	if err := openDatabase(ctx, cfg, access); err != nil {
		return err
	}
	known, err := presets(cfg)
	if err != nil {
		return err
	}
	limits, err := vault.NewLimits(cfg.MaxSecrets, cfg.KeepVersions)
	if err != nil {
		return err
	}
	i.Catalog = known
	i.Vault, i.Operator = vault.New(vault.Options{
		Store:   i.Store,
		Keys:    i.Keys,
		KeyTTL:  cfg.KeyCacheTTL,
		Catalog: known,
		Limits:  limits,

		Webhook:     cfg.WebhookURL != "",
		Lockdown:    cfg.Lockdown,
		DeleteDelay: cfg.DeleteDelay, PostQuantumOnly: cfg.PostQuantumOnly,
		NoDeleteNow: cfg.NoDeleteNow,
	})
	if access == Sealed {
		return nil
	}
	if err := i.openFloors(cfg); err != nil { // before anything is signed
		return err
	}
	return i.openKeys(ctx, cfg, access)
}

// presets returns the catalog with the presets of the operator.
func presets(cfg config.Config) (*catalog.Catalog, error) {
	known, err := catalog.Load()
	if err != nil || cfg.Presets == "" {
		return known, err
	}
	own, err := catalog.ReadFolder(os.DirFS(cfg.Presets))
	if err != nil {
		return nil, fmt.Errorf("--presets: %w", err)
	}
	if known, err = known.With(own); err != nil {
		return nil, fmt.Errorf("--presets: %w", err)
	}
	return known, nil
}

// openFiles locks the folder and opens the database in it.
func (i *Instance) openFiles(ctx context.Context, cfg config.Config, access Access) (err error) {
	path := filepath.Join(cfg.Data, DatabaseFile)
	if access == Create {
		if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
			return err
		}
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf(
			"%s has no database: create it with keysake init --data %s", cfg.Data, cfg.Data)
	}
	if path, err = realPath(path); err != nil {
		return err
	}
	open := sqlite.OpenShared
	switch {
	case !access.exclusive():
		err = checkOwner(path)
	case cannotWrite(path):
		open = sqlite.OpenForReading
		err = i.lockDatabase(cfg.Data, path, os.O_RDONLY)
	default:
		open = sqlite.Open
		if i.lock, err = Lock(cfg.Data); err == nil {
			err = i.lockDatabase(cfg.Data, path, os.O_RDWR|os.O_CREATE)
		}
	}
	if err == nil {
		err = checkNames(path)
	}
	if err != nil {
		return err
	}
	db, err := open(ctx, path)
	if err != nil {
		return err // a nil *sqlite.DB is no nil Database
	}
	db.KeepFree(uint64(cfg.MinFreeSpace) << 20) //nolint:gosec // it was validated
	i.Store = db
	i.tryLock = func(context.Context) (func() error, bool, error) { return lockRotation(cfg.Data) }
	return nil
}

// Close closes the database, ends what asks the key services, and unlocks the folder.
func (i *Instance) Close() error {
	var errs []error
	i.leaveFloors()
	i.Keys.Opener.Close()
	if i.Store != nil {
		errs = append(errs, i.Store.Close())
	}
	if i.database != nil {
		errs = append(errs, i.database.release())
		i.database = nil
	}
	if i.lock != nil {
		errs = append(errs, i.lock.Unlock())
	}
	return errors.Join(errs...)
}

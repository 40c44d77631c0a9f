package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/store"
	"github.com/keysake/keysake/internal/store/sqlite"
)

// A BackupFile is what is to be told of a backup.
type BackupFile struct {
	File     string          `json:"file"`
	Bytes    int64           `json:"bytes"`
	SHA256   string          `json:"sha256"`
	Manifest backup.Manifest `json:"manifest"`
}

// Backup writes all that the data folder has at one moment into a new file, beside a server that
// may be serving. The file has its name only when it is whole and on the disk, and only its owner
// may read it. One that is there already is an error, or with replace is replaced. No root key is
// needed, and none is in it. The audit log of the instance has an entry of it. Errors have
// [instance.ErrCannotOpen] where the folder does not open.
func Backup(
	ctx context.Context,
	cfg config.Config,
	file string,
	replace bool,
) (made BackupFile, err error) {
	if file, err = filepath.Abs(file); err != nil {
		return made, err
	}
	if _, err := os.Lstat(file); err == nil && !replace {
		return made, fmt.Errorf(
			"%s already exists: choose another name, or use --force to replace it",
			file,
		)
	}
	i, err := openSealed(ctx, cfg)
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	if keys, err := i.Operator.ListRootKeys(ctx); err != nil || len(keys) == 0 {
		return made, errors.Join(
			err,
			fmt.Errorf("there is nothing to back up in %s yet: it has no root key", cfg.Data),
		)
	}
	made.File = file
	write := privatefile.Create
	if replace {
		write = privatefile.Replace
	}
	err = write(file, func(f *os.File) error {
		if err := i.Operator.RecordBackup(ctx, file); err != nil {
			return fmt.Errorf("record the backup in the audit log: %w", err)
		}
		return made.write(ctx, i.Store, f)
	})
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s was created in the meantime and was not overwritten", file)
	}
	return made, err
}

func (b *BackupFile) write(ctx context.Context, db *sqlite.DB, f *os.File) error {
	schema, err := store.SchemaVersion()
	if err != nil {
		return err
	}
	err = db.Snapshot(ctx, func(src backup.Source) error {
		var digest backup.Digest
		b.Manifest, digest, err = backup.Write(ctx, f, src, schema, time.Now())
		b.SHA256 = digest.String()
		return err
	})
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		b.Bytes = info.Size()
	}
	return err
}

// openBackup opens a backup that is whole. The caller closes the file.
func openBackup(ctx context.Context, file string) (*os.File, *backup.File, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	whole, err := checkBackup(ctx, f)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", file, err), f.Close())
	}
	return f, whole, nil
}

func checkBackup(ctx context.Context, f *os.File) (*backup.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it must be a regular file")
	}
	whole, err := backup.Open(ctx, f, info.Size())
	if err != nil {
		return nil, err
	}
	newest, err := store.SchemaVersion()
	if err == nil && whole.Manifest().Schema > newest {
		err = fmt.Errorf(
			"it is of a database whose schema is of version %d, this program knows up to %d: use a newer keysake",
			whole.Manifest().Schema,
			newest,
		)
	}
	return whole, err
}

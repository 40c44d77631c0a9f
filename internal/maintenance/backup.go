package maintenance

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/config"
	"github.com/keysake/keysake/internal/instance"
	"github.com/keysake/keysake/internal/privatefile"
	"github.com/keysake/keysake/internal/rootkey"
	"github.com/keysake/keysake/internal/store"
)

// A BackupFile describes a backup.
type BackupFile struct {
	File      string           `json:"file"`
	Bytes     int64            `json:"bytes"`
	SHA256    string           `json:"sha256"`
	Schema    int64            `json:"schema"`
	CreatedAt time.Time        `json:"created_at"`
	Rows      map[string]int64 `json:"rows"` // by table
}

func (b *BackupFile) describe(m backup.Manifest, d backup.Digest) {
	b.SHA256, b.Schema, b.CreatedAt = d.String(), m.Schema, m.CreatedAt
	b.Rows = map[string]int64{}
	for _, t := range m.Tables {
		b.Rows[t.Name] = t.Rows
	}
}

// Backup writes the content of a data folder, as of one moment, to a new file, and records that in
// the audit log of the instance. A server may be running. The file gets its name when it is
// complete and on disk; only its owner may read it. What backups that were killed left in its
// folder is removed. A file that already exists is an error, unless replace is set. Backup needs
// the root key, because it signs its record; the backup contains none.
//
// The error wraps [instance.ErrCannotOpen] if the data folder or the root key cannot be opened.
func Backup(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, file string, replace bool,
) (made BackupFile, err error) {
	if file, err = filepath.Abs(file); err != nil {
		return made, err
	}
	if _, err := os.Lstat(file); err == nil && !replace {
		return made, fmt.Errorf(
			"%s already exists: choose another name, or use --force to replace it", file)
	}
	i, err := instance.Open(ctx, cfg, instance.NewKeys(cfg, ask), instance.Shared)
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	made.File = file
	write := privatefile.Create
	if replace {
		write = privatefile.Replace
	}
	privatefile.RemoveParts(filepath.Dir(file), backup.Magic)
	err = write(file, func(f *os.File) error { return made.record(ctx, i, f) })
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s was created in the meantime and was not overwritten", file)
	}
	return made, err
}

// BackupTo is [Backup] to a stream, which the record calls "-".
func BackupTo(
	ctx context.Context, cfg config.Config, ask rootkey.Ask, w io.Writer,
) (made BackupFile, err error) {
	i, err := instance.Open(ctx, cfg, instance.NewKeys(cfg, ask), instance.Shared)
	if err != nil {
		return made, err
	}
	defer func() { err = errors.Join(err, i.Close()) }()
	made.File = "-"
	err = made.record(ctx, i, w)
	return made, err
}

// record records the backup, and writes it.
func (b *BackupFile) record(ctx context.Context, i *instance.Instance, w io.Writer) error {
	if err := i.Operator.RecordBackup(ctx, b.File); err != nil {
		return fmt.Errorf("record the backup in the audit log: %w", err)
	}
	m, err := newManifest(ctx, i)
	if err != nil {
		return err
	}
	return b.write(ctx, i.Store, m, w)
}

// A counter counts what is written.
type counter struct {
	io.Writer

	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

// newManifest makes a checkpoint, and says where the audit log of the instance ends with that. The
// date of the backup is the checkpoint's, which is signed.
func newManifest(ctx context.Context, i *instance.Instance) (m backup.Manifest, err error) {
	if m.Schema, err = store.SchemaVersion(); err != nil {
		return m, err
	}
	made, err := i.Operator.MakeCheckpoint(ctx)
	if err != nil {
		return m, fmt.Errorf("make a checkpoint of the audit log: %w", err)
	}
	end := made.Recorded
	m.CreatedAt, m.Audit = made.At, &backup.AuditEnd{
		Chain: end.Owner.String(), Number: end.Seq, Hash: backup.Digest(end.Hash),
		Checkpoint: string(made.Note),
	}
	return m, nil
}

func (b *BackupFile) write(
	ctx context.Context, db instance.Database, m backup.Manifest, w io.Writer,
) error {
	to := &counter{Writer: w}
	err := db.Snapshot(ctx, func(src backup.Source) error {
		manifest, digest, err := backup.Write(ctx, to, src, m)
		b.describe(manifest, digest)
		return err
	})
	b.Bytes = to.n
	return err
}

// open opens a backup as openBackup does, and describes it.
func (b *BackupFile) open(
	ctx context.Context, file string,
) (f *os.File, contents *backup.File, err error) {
	if b.File, err = filepath.Abs(file); err != nil {
		return nil, nil, err
	}
	if f, contents, err = openBackup(ctx, b.File); err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	b.Bytes = info.Size()
	b.describe(contents.Manifest(), contents.Digest())
	return f, contents, nil
}

// openBackup opens a backup, and checks that it is complete and of a schema that this program
// knows. The caller closes the file.
func openBackup(ctx context.Context, file string) (*os.File, *backup.File, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil, err
	}
	contents, err := checkBackup(ctx, f)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", file, err), f.Close())
	}
	return f, contents, nil
}

func checkBackup(ctx context.Context, f *os.File) (*backup.File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it must be a regular file")
	}
	contents, err := backup.Open(ctx, f, info.Size())
	if err != nil {
		return nil, err
	}
	newest, err := store.SchemaVersion()
	if err == nil && contents.Manifest().Schema > newest {
		err = fmt.Errorf("its schema has version %d, and this program knows versions up to %d: "+
			"use a newer keysake", contents.Manifest().Schema, newest)
	}
	return contents, err
}

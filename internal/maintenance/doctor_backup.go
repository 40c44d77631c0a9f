package maintenance

import (
	"context"
	"errors"
	"time"

	"github.com/keysake/keysake/internal/audit"
	"github.com/keysake/keysake/internal/backup"
	"github.com/keysake/keysake/internal/privatefile"
)

// examineBackup examines a backup from its first byte to its last.
func (r *reporter) examineBackup(ctx context.Context, file string) (err error) {
	const anotherBackup = "make another backup, and keep older ones until you have checked it"
	f, contents, err := openBackup(ctx, file)
	if err != nil {
		r.fail("backup", anotherBackup, "%v", err)
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m := contents.Manifest()
	r.ok("backup", "complete, of %s: format %d, schema %d, sha256 %s",
		m.CreatedAt.Format(time.RFC3339), m.Format, m.Schema, contents.Digest())
	if info, err := f.Stat(); err == nil && privatefile.CheckMode(info) != nil {
		r.warn("backup mode", "run chmod 600 "+file,
			"other users can read or change the backup: its mode is %04o", info.Mode().Perm())
	}
	if err := r.examineRows(ctx, "backup ", contents); err != nil && ctx.Err() == nil {
		r.fail("backup", anotherBackup, "it cannot be read to its end: %v", err)
		return nil
	}
	r.checkManifest(ctx, contents)
	if err := r.checkChains(ctx, contents); err != nil && ctx.Err() == nil {
		r.fail("backup chains", restoreBackup, "they cannot be compared: %v", err)
	}
	return ctx.Err()
}

// checkManifest checks what the manifest says of the audit log, and the date.
func (r *reporter) checkManifest(ctx context.Context, contents *backup.File) {
	const name = "backup manifest"
	ids, err := r.keys.InstanceKeys()
	var c audit.Checkpoint
	if err == nil {
		c, err = verifyManifest(ctx, contents, ids, r.backupSigners)
	}
	if err != nil {
		r.fail(name, "keep an older backup, and find out who changed this one", "%v", err)
		return
	}
	r.ok(name, "of %s, when the audit log ended at entry %d of the instance's chain, "+
		"with checkpoint %d", c.At.Format(time.RFC3339), contents.Manifest().Audit.Number, c.Number)
}

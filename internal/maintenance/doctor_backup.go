package maintenance

import (
	"context"
	"crypto/ed25519"
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
	r.checkAuditEnd(ctx, contents)
	if err := r.checkChains(ctx, contents); err != nil && ctx.Err() == nil {
		r.fail("backup chains", restoreBackup, "they cannot be compared: %v", err)
	}
	return ctx.Err()
}

// checkAuditEnd checks what the manifest says of the audit log: its checkpoint is signed by an
// instance key that is named, and the backup has the entry.
func (r *reporter) checkAuditEnd(ctx context.Context, contents *backup.File) {
	const name = "backup manifest"
	const advice = "keep an older backup, and find out who changed this one"
	end := contents.Manifest().Audit
	if end == nil {
		r.fail(name, advice, "it does not say where the audit log ended")
		return
	}
	ids, err := r.keys.InstanceKeys()
	var keys []string
	for _, id := range ids {
		if signer, found := r.backupSigners(id); found {
			public, _ := signer.Signer().Public().(ed25519.PublicKey)
			var key string
			if key, err = audit.VerifierKey(id, public); err == nil {
				keys = append(keys, key)
			}
		}
	}
	if err != nil || len(keys) == 0 {
		r.fail(name, advice, "no instance key is open that could have signed its checkpoint")
		return
	}
	c, err := audit.OpenCheckpoint([]byte(end.Checkpoint), keys...)
	if err != nil {
		r.fail(name, advice, "%v", err)
		return
	}
	for e, err := range auditEntries(ctx, contents) {
		if err == nil && e.Owner.String() == end.Chain && e.Seq == end.Number &&
			backup.Digest(e.Hash) == end.Hash {
			r.ok(name, "the audit log ended at entry %d of the instance's chain, "+
				"with checkpoint %d", end.Number, c.Number)
			return
		}
	}
	r.fail(name, advice, "the audit log of the backup does not have the entry that it names")
}

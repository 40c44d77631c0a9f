package maintenance

import (
	"context"
	"errors"
	"time"

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
	if err := r.checkChains(ctx, contents); err != nil && ctx.Err() == nil {
		r.fail("backup chains", restoreBackup, "they cannot be compared: %v", err)
	}
	return ctx.Err()
}

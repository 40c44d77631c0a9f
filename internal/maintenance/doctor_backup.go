package maintenance

import (
	"context"
	"errors"
	"time"

	"github.com/keysake/keysake/internal/privatefile"
)

// backup examines the backup end to end.
func (r *reporter) backup(ctx context.Context) (err error) {
	const another = "make another backup, and keep the older ones until that one is checked"
	f, whole, err := openBackup(ctx, r.what.Backup)
	if err != nil {
		r.fail("backup", another, "%v", err)
		return ctx.Err()
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	m := whole.Manifest()
	r.ok(
		"backup", "of %s, whole: format %d, schema %d, sha256 %s", m.CreatedAt.Format(time.RFC3339),
		m.Format, m.Schema, whole.Digest(),
	)
	if info, err := f.Stat(); err == nil && privatefile.CheckMode(info) != nil {
		r.warn(
			"backup mode", "chmod 600 "+r.what.Backup,
			"others may read or change the backup: its mode is %04o", info.Mode().Perm(),
		)
	}
	if err := r.source(ctx, "backup ", whole); err != nil && ctx.Err() == nil {
		r.fail("backup", another, "it cannot be read to its end: %v", err)
	}
	return ctx.Err()
}
